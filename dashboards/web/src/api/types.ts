import type { components } from "./schema";

type Schemas = components["schemas"];

export type LocalText = Schemas["LocalText"];
export type Session = Schemas["SessionView"];
export type Account = Schemas["AccountView"];
export type Permission = Schemas["Permission"];
export type Facility = Schemas["FacilityView"];
export type Asset = Schemas["AssetView"];
export type Point = Schemas["PointView"];
export type System = Schemas["System"];
export type Priority = Schemas["Priority"];
export type Alarm = Schemas["AlarmView"];
export type AlarmDetail = Schemas["AlarmDetail"];
export type JournalEntry = Schemas["JournalEntry"];
export type WorkOrder = Schemas["WorkOrderView"];
export type WorkOrderDetail = Schemas["WorkOrderDetail"];
export type Step = Schemas["StepView"];
export type Command = Schemas["CommandView"];
export type CommandState = Command["state"];
export type Snapshot = Schemas["Snapshot"];
export type ValueRow = Snapshot["values"][number];
export type History = Schemas["HistoryView"];
export type Limit = Schemas["LimitView"];
export type GatewayView = Schemas["GatewayView"];
export type GatewayConnection = Schemas["GatewayConnectionView"];
export type GatewayDevice = Schemas["UnitView"];

/** In the order in which the console shows them. */
export const SYSTEMS: readonly System[] = ["lift", "pump", "fire", "access"];

/** 1 the most urgent. */
export const PRIORITIES: readonly Priority[] = [1, 2, 3, 4];
