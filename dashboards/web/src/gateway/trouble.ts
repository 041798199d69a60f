import type { GatewayConnection } from "../api/types";

export interface Trouble {
  connections: number;
  /** Connections that are down or still connecting. */
  down: number;
  devices: number;
  /** Devices that do not answer, whether or not their connection does. */
  silent: number;
}

/** Return how much of the gateway is in trouble. */
export function troubleOf(connections: readonly GatewayConnection[]): Trouble {
  const devices = connections.flatMap((connection) => connection.units);
  return {
    connections: connections.length,
    down: connections.filter((connection) => connection.state !== "up").length,
    devices: devices.length,
    silent: devices.filter((device) => device.state !== "up").length,
  };
}

/** Return whether people should see a connection's devices without asking: some answer and some do not. */
export function isMixed(connection: GatewayConnection): boolean {
  return connection.state === "up" && connection.units.some((device) => device.state !== "up");
}
