#!/usr/bin/env bash
# Installs what the tests need from outside Python: client programs from Debian, and the AWS SDK for JavaScript.
# Idempotent, and quick when everything is there. Needs root or sudo only when something is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# program:package
needed=(curl:curl restic:restic s3cmd:s3cmd node:nodejs npm:npm)

missing=()
for entry in "${needed[@]}"; do
  command -v "${entry%%:*}" >/dev/null || missing+=("${entry#*:}")
done

if ((${#missing[@]})); then
  root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "The tests need these system packages; install them as root: ${missing[*]}" >&2
      exit 1
    fi
    root=(sudo)
  fi
  if ! command -v apt-get >/dev/null; then
    echo "The tests need these programs, and this system has no apt-get: ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  "${root[@]}" apt-get update -qq
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
if ((major < 20)); then
  echo "The AWS SDK for JavaScript needs Node.js 20 or newer on PATH, found $(node --version)." >&2
  exit 1
fi

# The stamp is newer than the list of versions when what is installed is what the list names.
cd tests/e2e/clients/javascript
stamp=node_modules/.installed
if [[ ! -e $stamp || package.json -nt $stamp ]]; then
  echo "Installing the AWS SDK for JavaScript"
  npm install --silent --no-package-lock --no-audit --no-fund
  touch "$stamp"
fi
