import { describe, expect, test } from "bun:test";
import { scrub, spellings } from "@/std/scrub.ts";

const JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJub2RlIn0.c2lnbmF0dXJl";
const PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----";
const B32 = "abcdefghijklmnopqrstuvwxyz";

describe("scrubbing hides", () => {
  test.each([
    ["an operator token", `token gpo_${B32} is old`, `gpo_${B32}`],
    ["an API key in capitals", `GPK_ABCDEFGH_${B32.toUpperCase()}`, B32.toUpperCase()],
    ["a join token", `--token GP1.${B32}.x${B32}.abcdefgh.${B32}.0badcafe`, B32],
    ["an access token", `got ${JWT}!`, "c2lnbmF0dXJl"],
    ["the head of a token that was cut", "got eyJhbGciOiJFZERTQSJ9", "hbGciOiJ"],
    ["a private key", `it is\n${PEM}\nindeed`, "MC4C"],
    ["a private key in JSON", JSON.stringify({ a: PEM }), "MC4C"],
    ["a private key without an end", "-----BEGIN EC PRIVATE KEY-----\nMC4C", "MC4C"],
    ["the password of an address", "postgres://pool:pa%40ss@db:5432/pool", "pa%40ss"],
    ["a password with an @ of its own", "postgres://pool:p@ss@db/pool", "p@ss"],
    ["an Authorization header", "Authorization: Bearer abc.def", "abc.def"],
    ["an Authorization header without a scheme", '{"authorization":"abcdef"}', "abcdef"],
    ["Basic credentials", "sent Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"],
    ["cookies", "cookie: a=bcdef; __Host-session=xyzzy1", "xyzzy1"],
    ["a password in JSON", '{"password":"pa\\"ss word"}', "ss word"],
    ["a password in JSON in JSON", JSON.stringify({ body: '{"password":"xyzzy1"}' }), "xyzzy1"],
    ["a password in a query", "?user=a&password=xyzzy1&x=1", "xyzzy1"],
    ["a password in an assignment", "PGPASSWORD=xyzzy1 psql", "xyzzy1"],
    ["a refresh token by its field", '{"refresh_token":"xyzzy1"}', "xyzzy1"],
  ])("%s", (_, text, secret) => {
    const clean = scrub(text);
    expect(clean).not.toContain(secret);
    expect(clean).toContain("[hidden]");
  });

  test("a known secret however it is written", () => {
    const known = spellings(['a "b"/c d', "short"]);
    const texts = ['say a "b"/c d now', `?x=${encodeURIComponent('a "b"/c d')}`];
    const json = JSON.stringify({ why: 'a "b"/c d' });
    for (const text of [...texts, json]) expect(scrub(text, known)).toContain("[hidden]");
    expect(scrub("short", known)).toBe("short");
  });
});

describe("scrubbing leaves", () => {
  test.each([
    "This needs credentials: send Authorization: Bearer <token>, or call with a node certificate.",
    "Compare the token; it may be used up.",
    "node xulz3ufj4l74k4cs542cde7p33 of pool zrfjett3vcnnh6lb77s2eco6sj joined",
    '{"token_id":"k3v7q2aa","uses_left":2}',
    "galaxy-pool node join HOST --token GP1.…",
    "postgres://db.example:5432/pool",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    '{"errors":[{"path":"body.password","message":"Expected string"}]}',
    "http://[::1]:8095/health",
  ])("%s", (text) => {
    expect(scrub(text)).toBe(text);
  });

  test("JSON that can be read", () => {
    const held = {
      password: 'a"b',
      authorization: "Bearer x.y",
      url: "postgres://u:p@h",
      pem: PEM,
    };
    const clean = JSON.parse(scrub(JSON.stringify({ ...held, level: 30, n: { token: "a" } })));
    expect(clean).toMatchObject({
      level: 30,
      password: "[hidden]",
      url: "postgres://u:[hidden]@h",
    });
  });
});
