"""Texts that are filters, texts that are nearly some, and objects that they are about.

Both are made out of bytes, each of which is one choice; the first of what can be chosen is the simplest. So hypothesis
draws one thing, quickly, and what it finds gets simpler as the bytes do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from s3d.filters.facts import Facts

Part = str | Callable[[], str]
HEADERS = ("content-type", "cache-control", "expires", "x-amz-storage-class")
ODD = "é\u0661\u212a\u2028\x00\x1c\t\n \udcff😀!=<>]*?[\\'\"^"
NUMBERS = ("0", "5", "-3", "10", "007", "1.50", "2kB", "2KIB", "0.5MiB", "1tb", "3b", "9007199254740993", "1.005kB")
NOT_QUITE = (
    "1e5",
    "+5",
    ".5",
    "5.",
    "inf",
    "nan",
    "1_000",
    "١٢",
    "0x1f",
    "--1",
    "5x",
    "1K\u0131B",
    "1\u212ab",
    "2026-01-31",
)
IN_SETS = ("a", "b", "a-b", "0-9", "b-a", "]", r"\]", "-", "/", "!", "^", r"\\", "'", "é")
IN_QUOTES = (*"ab*?/-.:0 =!<>]é\n\x00", r"\*", r"\'", r"\[", r"\a", r"\\")
BARE = "aabb*?/-.:0"


class Written:
    """What the bytes choose. Each part is a text, or a function that is asked only if it is chosen."""

    def __init__(self, choices: bytes) -> None:
        self._choices = iter(choices)

    def number(self, end: int) -> int:
        return next(self._choices, 0) % end

    def one(self, *of: Part) -> str:
        chosen = of[self.number(len(of))]
        return chosen if isinstance(chosen, str) else chosen()

    def some(self, make: Callable[[], str], most: int, least: int = 0) -> str:
        return "".join(make() for _ in range(least + self.number(most - least + 1)))

    def filters(self) -> str:
        gaps = (" ", "\n", "  ", "\t", " \r\n", "\u2003")
        before = self.some(lambda: self.filter() + self.one(*gaps), 2)
        return self.one("", *gaps) + before + self.one(self.filter, self.filter, "")

    def filter(self) -> str:
        excludes = self.one("", "", "!")
        bucket = self.one("*", "a", lambda: self.pattern("ab*?"))
        of_bucket = self.one("", "", lambda: self.some(lambda: self.condition("tag"), 2))
        return excludes + bucket + of_bucket + self.one(self.of_object, self.of_object, "")

    def of_object(self) -> str:
        key = self.one("*", lambda: self.pattern(BARE))
        return f"/{key}{self.some(lambda: self.condition('tag', 'hdr', 'md'), 3)}"

    def condition(self, *kinds: str) -> str:
        kind = self.one(*kinds)
        names: dict[str, tuple[Part, ...]] = {
            "tag": ("a", "'a'", "A", "b", lambda: self.pattern("ab:/")),
            "hdr": (
                *HEADERS,
                "Content-Type",
                "content-length",
                "CONTENT-length",
                "'content-length'",
                "x-none",
                "x-amz-tagging",
            ),
            "md": ("a", "A", "taken", "x-amz-meta-a", "'b'", "content-length"),
        }
        operator = self.one("", "=", "!=", "<", "<=", ">", ">=")
        return f"[{kind}:{self.one(*names[kind])}{operator}{self.value() if operator else ''}]"

    def value(self) -> str:
        number = self.one(self.one(*NUMBERS), self.one(*NOT_QUITE))
        return self.one(number, self.quoted, f"'{number}'", lambda: self.pattern("ab/-.:0"))

    def pattern(self, bare: str) -> str:
        return self.some(lambda: self.one(*bare, *bare, self.escaped, self.quoted), 4, 1)

    def escaped(self) -> str:
        return "\\" + self.one(*"*?a/! \\'[=")

    def quoted(self) -> str:
        quote = self.one("'", '"')
        return quote + self.some(lambda: self.one(*IN_QUOTES, *[self.one_of] * 6), 3) + quote

    def one_of(self) -> str:
        return f"[{self.one('', '', '!', '^')}{self.some(lambda: self.one(*IN_SETS), 4, 1)}]"

    def mutated(self) -> str:
        """One to three characters away from a filter."""
        text = self.filters()
        for _ in range(1 + self.number(3)):
            at, removed = self.number(len(text) + 1), self.number(2)
            text = text[:at] + self.one("", "", *ODD, "[tag:a]", "hdr:", "''") + text[at + removed :]
        return text


def _objects(count: int) -> list[Facts]:
    random = Random(6)

    def short() -> str:
        return "".join(random.choices([*"aaabbb/-.:0*'é \n\udcff"], k=random.randrange(5)))

    def value() -> str:
        return random.choice([short(), short(), random.choice(NUMBERS), random.choice(NOT_QUITE), " 5"])

    def some(names: Sequence[str]) -> dict[str, str]:
        return {name: value() for name in names if random.random() < 0.5}

    sizes = (0, 5, 10, 1005, 2000, 2048, 500_000, 524_288, 10**12, 9007199254740993)
    tags = ("a", "b", "A", "a:b", "ab")
    return [
        Facts(
            bucket=random.choice(["a", "b", "ab", short()]),
            key=short(),
            size=random.choice(sizes),
            headers=some(HEADERS),
            metadata=some(("a", "taken", "b", "content-length")),
            tags=some(tags) if random.random() < 0.8 else None,
            bucket_tags=some(tags) if random.random() < 0.8 else None,
        )
        for _ in range(count)
    ]


OBJECTS = _objects(1000)
