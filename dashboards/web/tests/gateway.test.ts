import { expect, test } from "vitest";
import type { GatewayConnection, GatewayDevice } from "../src/api/types";
import { isMixed, troubleOf } from "../src/gateway/trouble";

const device = (state: GatewayDevice["state"]): GatewayDevice => ({
  asset_id: "pump-1",
  name: { en: "Pump 1", zh: "水泵 1" },
  state,
  detail: "",
  requests: 0,
  timeouts: 0,
  refusals: 0,
  overruns: 0,
  openings: 0,
  last_good_at: null,
  latency_p50_ms: null,
  latency_p99_ms: null,
});

const connection = (
  state: GatewayConnection["state"],
  ...devices: GatewayDevice["state"][]
): GatewayConnection => ({
  id: "line",
  state,
  detail: "",
  samples: 0,
  errors: 0,
  dropped: 0,
  last_good_at: null,
  protocol: "modbus",
  endpoint: "10.0.3.7:502",
  samples_per_s: 0,
  duplicates: 0,
  units: devices.map(device),
});

test("whoever is not up counts as trouble, connection and device alike", () => {
  const gateway = [connection("up", "up", "down"), connection("connecting"), connection("down", "down")];
  expect(troubleOf(gateway)).toEqual({ connections: 3, down: 2, devices: 3, silent: 2 });
});

test("only a connection on which some answer and some do not opens by itself", () => {
  expect(isMixed(connection("up", "up", "down"))).toBe(true);
  expect(isMixed(connection("up", "up"))).toBe(false);
  expect(isMixed(connection("down", "down"))).toBe(false);
});
