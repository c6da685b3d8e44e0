/** One reading of this board. What cannot be known is null, never 0. */
export interface HostSample {
  readonly atMs: number;
  /** Share of all cores in use since the reading before, 0 to 1. */
  readonly cpuUsed: number | null;
  readonly load1: number | null;
  readonly memoryTotalBytes: number | null;
  readonly memoryAvailableBytes: number | null;
  readonly diskTotalBytes: number | null;
  readonly diskFreeBytes: number | null;
  readonly temperatureCelsius: number | null;
  /** Whether the board throttles itself now. */
  readonly throttled: boolean | null;
  readonly networkReceivedBytes: number | null;
  readonly networkSentBytes: number | null;
  /** Bytes this process caused to be written to disk since it started. */
  readonly writtenBytes: number | null;
  /** Resident memory of this process. */
  readonly residentBytes: number | null;
}

/** What this board is; read once. */
export interface HostInventory {
  readonly model: string | null;
  readonly cpu: string | null;
  readonly cores: number | null;
  readonly distribution: string | null;
  readonly kernel: string | null;
  readonly architecture: string;
  readonly hasClockChip: boolean | null;
}

/** The board this program runs on. */
export interface Host {
  /** A reading now, cheap enough for every 30 s. */
  sample(): HostSample;
  inventory(): Promise<HostInventory>;
  /** The names this board is reached by: host names and the addresses of its interfaces, as text. */
  names(): { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] };
  /** Whether the kernel says that its clock is synchronised; null when it does not say. */
  isClockSynchronised(): boolean | null;
}
