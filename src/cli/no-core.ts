import { writeFileSync } from "node:fs";

/**
 * Keys are in memory, so no part of memory goes into a core file, whoever writes it: the kernel, or a
 * program it hands the core to, which no limit of size holds back. What is left says where it ended.
 */
try {
  writeFileSync("/proc/self/coredump_filter", "0");
} catch {
  // Elsewhere than on Linux, or without /proc: then the limit of the unit must do.
}
