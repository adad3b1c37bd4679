import { expect, test } from "bun:test";
import { Prng } from "@mantou/base";
import { PATTERN_LENGTH_MAX, compileTopicPattern } from "../src/regex/index.ts";

const matches = (pattern: string, text: string): boolean => {
  const compiled = compileTopicPattern(pattern);
  if (!compiled.ok) throw new Error(`${pattern}: ${compiled.error}`);
  return compiled.value.matches(text);
};

const yes: readonly (readonly [string, string])[] = [
  ["orders", "orders"],
  ["orders.*", "orders-eu"],
  ["(orders|payments)-(eu|us)", "payments-us"],
  ["^orders$", "orders"],
  ["\\Aorders\\z", "orders"],
  ["", ""],
  ["a|", ""],
  ["a{2,3}", "aaa"],
  ["a{2}", "aa"],
  ["a{2,}", "aaaaa"],
  ["a{,2}", "a{,2}"],
  ["x{", "x{"],
  ["[a-c]+", "abccba"],
  ["[^a-c]+", "xyz"],
  ["[]a]+", "]a"],
  ["[a-]+", "a-a"],
  ["[[:alpha:]]+[[:^alpha:]]", "abc1"],
  ["[\\d_]+", "12_3"],
  ["\\w+\\W\\d", "ab-1"],
  ["\\pL+", "abc"],
  ["\\p{Lu}\\P{Lu}+", "Abc"],
  ["\\p{Latin}+", "abc"],
  ["(?i)ORDERS", "orders"],
  ["(?i:ORD)ers", "ordERS".slice(0, 3) + "ers"],
  ["a(?i)b|c", "aB"],
  ["a(?i)b|c", "C"],
  ["(?P<name>a)(?<other>b)", "ab"],
  ["(?:ab)*?", "ababab"],
  ["\\Qa.b\\E", "a.b"],
  ["\\Qab\\E+", "abbb"],
  ["\\x41\\x{42}\\103", "ABC"],
  ["a\\.b\\-c\\_d", "a.b-c_d"],
  ["\\bab\\b-\\bc", "ab-c"],
  ["a\\Bb", "ab"],
  ["(a*)*", "aaaa"],
  ["((a?){3}){2}", "aaaaa"],
  ["(|a)+", "aa"],
];

const no: readonly (readonly [string, string])[] = [
  ["orders", "orders-eu"],
  ["orders", "my-orders"],
  ["a{2,3}", "aaaa"],
  ["a$b", "ab"],
  ["[^a-c]+", "xbz"],
  ["\\bab\\Bc", "abd"],
  ["a\\.b", "axb"],
  ["(?i)a(?-i)b", "AB"],
  [".", ""],
  ["[[:digit:]]", "x"],
];

test("patterns match whole names", () => {
  for (const [pattern, text] of yes)
    expect([pattern, matches(pattern, text)]).toEqual([pattern, true]);
  for (const [pattern, text] of no)
    expect([pattern, matches(pattern, text)]).toEqual([pattern, false]);
});

const malformed = [
  ["(", ")", "[", "[a", "a)", "*", "+a", "?", "a**", "a{2}{3}", "a++", "(?", "(?P<n>a)(?P<n>b)"],
  ["(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(a)\\1", "\\8", "\\", "\\Z", "\\y", "(?x)a", "(?P=n)"],
  ["[b-a]", "[[:nope:]]", "\\p{Nope}", "\\p{", "\\x{110000}", "\\xZZ", "a{1001}", "a{3,2}"],
  ["((a{100}){100}){100}", "((((){1000}){1000}){1000}){1000}", "(?P<>a)", "(?P<n"],
  ["(".repeat(5_000) + ")".repeat(5_000), "a".repeat(PATTERN_LENGTH_MAX + 1)],
].flat();

test("what is no expression of RE2, or too large, is refused with a reason", () => {
  for (const pattern of malformed) {
    const compiled = compileTopicPattern(pattern);
    expect([pattern.slice(0, 40), compiled.ok]).toEqual([pattern.slice(0, 40), false]);
    if (!compiled.ok) expect(compiled.error.length).toBeGreaterThan(3);
  }
});

test("expressions that blow up a backtracking matcher take linear time", () => {
  const text = `${"a".repeat(240)}!`;
  const bombs = [
    "(a+)+",
    "(a|aa)+",
    "(a|a)*b",
    "(.*)*(.*)*(.*)*x",
    `${"a?".repeat(200)}${"a".repeat(200)}b`,
    "((a{0,30}){0,30})*",
    "(a|b|ab)*c",
    "(.*a){30}",
    "[a-z]*[a-z]*[a-z]*[a-z]*[a-z]*[0-9]",
  ];
  // Steps are counted by finishing at all: backtracking would outlast the suite.
  for (const bomb of bombs) {
    const compiled = compileTopicPattern(bomb);
    if (!compiled.ok) throw new Error(`${bomb}: ${compiled.error}`);
    expect([bomb, compiled.value.matches(text)]).toEqual([bomb, false]);
  }
});

test("an automaton with too many states to keep is built anew and stays right", () => {
  // The 13th character from the end decides: 8,192 states.
  const compiled = compileTopicPattern(`[ab]*a[ab]{12}`);
  if (!compiled.ok) throw new Error(compiled.error);
  const random = new Prng(7);
  for (let i = 0; i < 400; i++) {
    const text = Array.from({ length: 60 }, () => random.pick(["a", "b"])).join("");
    expect(compiled.value.matches(text)).toBe(text.at(-13) === "a");
  }
});

/** Random patterns small enough for JavaScript's own engine to judge. */
function randomPattern(random: Prng, depth: number): string {
  switch (random.below(depth > 3 ? 4 : 9)) {
    case 0:
      return "a";
    case 1:
      return "b";
    case 2:
      return random.pick(["[ab]", "[^a]", ".", "\\w", "\\W"]);
    case 3:
      return random.pick(["^", "$", "\\b", "\\B", "-"]);
    case 4:
    case 5:
      return `${randomPattern(random, depth + 1)}${randomPattern(random, depth + 1)}`;
    case 6:
      return `(?:${randomPattern(random, depth + 1)}|${randomPattern(random, depth + 1)})`;
    default:
      return `(?:${randomPattern(random, depth + 1)})${random.pick(["*", "+", "?", "{2}", "{1,3}"])}`;
  }
}

test("agrees with another engine on random patterns", () => {
  const seed = 20_261;
  const random = new Prng(seed);
  for (let round = 0; round < 600; round++) {
    const pattern = randomPattern(random, 0);
    const judge = new RegExp(`^(?:${pattern})$`);
    for (let i = 0; i < 8; i++) {
      const text = Array.from({ length: random.below(7) }, () => random.pick(["a", "b", "-"])).join(
        "",
      );
      expect([seed, pattern, text, matches(pattern, text)]).toEqual([
        seed,
        pattern,
        text,
        judge.test(text),
      ]);
    }
  }
});
