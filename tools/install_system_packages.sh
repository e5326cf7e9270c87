#!/usr/bin/env bash
# Installs what the tests need from outside Python: client programs and a C compiler from Debian, and the AWS SDK for
# JavaScript (by the npm of the development environment). Idempotent, and quick when everything is there. Needs root or
# sudo only when a system package is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for program in curl gcc restic s3cmd; do # each has the name of its package
  command -v "$program" >/dev/null || missing+=("$program")
done
[[ $(uname) != Linux || -e /usr/include/stdio.h ]] || missing+=(libc6-dev)

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

# The stamp is newer than the list of versions when what is installed is what the list names.
export PATH="$PWD/.venv/bin:$PATH"
cd tests/e2e/clients/javascript
stamp=node_modules/.installed
if [[ ! -e $stamp || package.json -nt $stamp ]]; then
  echo "Installing the AWS SDK for JavaScript"
  npm install --silent --no-package-lock --no-audit --no-fund
  touch "$stamp"
fi
