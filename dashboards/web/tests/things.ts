import type {
  Alarm,
  Asset,
  Command,
  ConditionContent,
  Facility,
  Point,
  RuleContent,
  WorkOrder,
} from "../src/api/types";

const text = (english: string) => ({ en: english, zh: `中 ${english}` });

export function alarm(id: number, changes: Partial<Alarm> = {}): Alarm {
  return {
    id,
    version: 1,
    rule: "held_open",
    title: text("Door held open"),
    asset_id: "door-1",
    asset_name: text("Main entrance"),
    space_name: text("Floor 1"),
    system: "access",
    priority: 3,
    state: "B",
    active: true,
    acknowledged: false,
    life_safety: false,
    reason: "state",
    value: 2,
    limit: 2,
    unit: "",
    explanation: "",
    raised_at: "2026-11-22T10:00:00Z",
    cleared_at: null,
    acknowledged_at: null,
    acknowledged_by: null,
    comment: null,
    closed_at: null,
    order_id: null,
    ...changes,
  };
}

export function order(id: number, changes: Partial<WorkOrder> = {}): WorkOrder {
  return {
    id,
    number: `WO-${id}`,
    version: 1,
    kind: "corrective",
    state: "triaged",
    title: text("Repair the door"),
    priority: 3,
    asset_id: "door-1",
    asset_name: text("Main entrance"),
    space_name: text("Floor 1"),
    system: "access",
    life_safety: false,
    opened_at: "2026-11-22T10:00:00Z",
    assignee: null,
    started_at: null,
    completed_at: null,
    alarm_count: 1,
    ...changes,
  };
}

export function command(id: number, changes: Partial<Command> = {}): Command {
  return {
    id,
    version: 1,
    request_id: `request-${id}`,
    point_key: 7,
    asset_id: "pump-1",
    value: 1_200,
    priority: 8,
    state: "confirmed",
    reason: "night set-back",
    author: "Olivia",
    requested_at: "2026-11-22T10:00:00Z",
    expires_at: "2026-11-22T11:00:00Z",
    shown: 1_200,
    detail: null,
    ended_at: null,
    ...changes,
  };
}

export function definition(condition: Partial<ConditionContent>): RuleContent {
  return {
    point: "bearing_temperature",
    title: text("Bearing hot"),
    condition: { type: "threshold", limits: { high: { value: 80 } }, ...condition },
    cause: text("Grease is missing"),
    consequence: text("The bearing seizes"),
    corrective_action: text("Grease it"),
    consequence_class: "moderate",
    time_to_respond_min: 10,
  };
}

export function point(key: number, changes: Partial<Point> = {}): Point {
  return {
    key,
    name: `point-${key}`,
    title: text(`Point ${key}`),
    kind: "analog",
    unit: "",
    overview: false,
    states: {},
    commandable: null,
    ...changes,
  };
}

/** Two pumps in the cellar, each with a flow and a bearing. */
export function facility(): Facility {
  const pump = (number: number): Asset => ({
    id: `pump-${number}`,
    name: text(`Pump ${number}`),
    class_name: "pump",
    class_title: text("Pump"),
    system: "pump",
    space_id: "cellar",
    parent_id: null,
    connection_id: "wire",
    points: [
      point(number * 10, { name: "flow", title: text("Flow"), unit: "m³/h" }),
      point(number * 10 + 1, { name: "bearing", title: text("Bearing"), unit: "°C" }),
    ],
  });
  return {
    site_id: "small",
    name: text("Small"),
    time_zone: "Asia/Shanghai",
    spaces: [{ id: "cellar", name: text("Cellar"), kind: "floor", parent: null }],
    assets: [pump(1), pump(2)],
  };
}
