/** Whether an endpoint answered in time. */
export interface Probes {
  /**
   * Asks `tcp://host:port` (connects), `http(s)://host:port/path` (a 2xx answer) or `grpc://host:port`
   * (grpc.health.v1 says SERVING). Never throws; false covers refusal, silence and nonsense.
   */
  ask(endpoint: string, timeoutMs: number): Promise<boolean>;
}
