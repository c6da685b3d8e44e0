import { describe, expect, test } from "bun:test";
import type { Caller, Role } from "@/core/caller.ts";
import {
  isOfOrg,
  mayGrant,
  PASSWORD_LETTERS_MAX,
  passwordProblem,
  passwordText,
  personNameProblem,
} from "@/core/person.ts";

describe("the name of a person", () => {
  test.each(["a", "ada", "ada.l", "a_b-c.d", "7", "a".repeat(32)])("may be %s", (name) => {
    expect(personNameProblem(name)).toBeUndefined();
  });

  test.each(["", "me", "Ada", "ada ", ".ada", "ada-", "a".repeat(33), "a/b", "ä", "user:ada"])(
    "may not be %p",
    (name) => {
      expect(personNameProblem(name)).toContain("must be 1 to 32");
    },
  );
});

describe("a password", () => {
  test.each([
    ["eleven letters", "abcdefghijk", "must have 12 to 128 characters"],
    ["twelve letters", "abcdefghijkl", undefined],
    ["as many as are taken", "abcde".repeat(26).slice(0, PASSWORD_LETTERS_MAX), undefined],
    [
      "one more",
      "abcde".repeat(26).slice(0, PASSWORD_LETTERS_MAX + 1),
      "must have 12 to 128 characters",
    ],
    ["four different letters", "abcdabcdabcd", "must have at least 5 different characters"],
    ["the name in it", "my-LOVELACE-pass", "must not contain the name"],
  ])("of %s", (_, typed, problem) => {
    expect(passwordProblem(typed, "lovelace")).toBe(problem);
  });

  test("may contain a name so short that it stands in everything", () => {
    expect(passwordProblem("abcdefghijkl", "abc")).toBeUndefined();
  });

  test("is the same however its letters are composed", () => {
    expect(passwordText("e\u0301ﬁ")).toBe("éfi");
  });
});

describe("what may be given away", () => {
  const caller = (roles: readonly Role[], more: Partial<Caller> = {}): Caller => ({
    type: "user",
    id: "user:a",
    roles,
    ...more,
  });
  const grants = (roles: readonly Role[], org?: string, scopes?: readonly string[]) => ({
    roles,
    org,
    scopes,
  });

  test.each([
    ["an admin gives every role", caller(["admin"]), grants(["admin", "auditor"]), true],
    ["an operator gives his own", caller(["operator"]), grants(["operator"]), true],
    ["an operator makes no admin", caller(["operator"]), grants(["operator", "admin"]), false],
    [
      "one of acme gives for acme",
      caller(["admin"], { org: "acme" }),
      grants(["client"], "acme"),
      true,
    ],
    ["one of acme not for all", caller(["admin"], { org: "acme" }), grants(["client"]), false],
    [
      "one of acme not for others",
      caller(["admin"], { org: "acme" }),
      grants(["client"], "b"),
      false,
    ],
    [
      "a limited key gives some of its scopes",
      caller(["admin"], { scopes: ["keys:write", "nodes:read"] }),
      grants(["client"], undefined, ["nodes:read"]),
      true,
    ],
    [
      "a limited key gives none it lacks",
      caller(["admin"], { scopes: ["keys:write"] }),
      grants(["client"], undefined, ["nodes:read"]),
      false,
    ],
    [
      "a limited key makes nothing unlimited",
      caller(["admin"], { scopes: ["keys:write"] }),
      grants(["client"]),
      false,
    ],
  ])("%s", (_, who, what, isAllowed) => {
    expect(mayGrant(who, what)).toBe(isAllowed);
  });

  test("is seen by those of the organization, and by those of none", () => {
    expect(isOfOrg(caller([]), "acme")).toBe(true);
    expect(isOfOrg(caller([], { org: "acme" }), "acme")).toBe(true);
    expect(isOfOrg(caller([], { org: "acme" }), undefined)).toBe(false);
  });
});
