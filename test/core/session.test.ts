import { describe, expect, test } from "bun:test";
import { csrfTokenOf, isCsrfToken, isOwnPage, sessionIn } from "@/core/session.ts";

describe("the session of a Cookie header", () => {
  test.each([
    [null, undefined],
    ["", undefined],
    ["theme=dark", undefined],
    ["__Host-galaxy_session=gps_a", "gps_a"],
    ["theme=dark; __Host-galaxy_session=gps_a; x=y", "gps_a"],
    ["__Host-galaxy_session=gps_a; __Host-galaxy_session=gps_b", ""],
    ["galaxy_session=gps_a", undefined],
    ["__Host-galaxy_session=", ""],
  ])("%p is %p", (header, session) => {
    expect(sessionIn(header)).toBe(session as string);
  });
});

describe("a request with a cookie", () => {
  const own = "https://pi:8443";
  test.each([
    ["a page of ours", true, own, "same-origin", true],
    ["a page of ours in an old browser", true, own, null, true],
    ["a page of ours that hides its origin", true, null, "same-origin", true],
    ["nobody knows where", true, null, null, false],
    ["another site", true, "https://evil.example", "cross-site", false],
    ["another site that claims to be ours", true, own, "cross-site", false],
    ["another port of this host", true, "https://pi:9000", "same-site", false],
    ["this host without TLS", true, "http://pi:8443", null, false],
    ["a sandbox", true, "null", null, false],
    ["the address bar", true, null, "none", false],
    ["a reader without an origin", false, null, null, true],
    ["a reader of ours", false, own, "same-origin", true],
    ["a reader elsewhere", false, "https://evil.example", "cross-site", false],
  ])("from %s", (_, isMutating, origin, site, isOurs) => {
    expect(isOwnPage({ isMutating, own, origin, site })).toBe(isOurs);
  });
});

describe("the token beside a cookie", () => {
  test("belongs to one session", () => {
    const token = csrfTokenOf("gps_a");
    expect(token).toMatch(/^[a-z2-7]{32}$/);
    expect(isCsrfToken("gps_a", token)).toBe(true);
    expect(isCsrfToken("gps_b", token)).toBe(false);
    expect(isCsrfToken("gps_a", "")).toBe(false);
    expect(isCsrfToken("gps_a", null)).toBe(false);
  });
});
