import { isRefusal } from "@/std/errors.ts";

/** The code of the refusal an act throws, or "allowed"; anything else it throws is thrown on. */
export function refusalCode(act: () => unknown): string {
  try {
    act();
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown.code;
    throw thrown;
  }
  return "allowed";
}
