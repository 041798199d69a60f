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
export type BucketsView = Schemas["BucketsView"];
export type Limit = Schemas["LimitView"];
export type GatewayView = Schemas["GatewayView"];
export type GatewayConnection = Schemas["GatewayConnectionView"];
export type GatewayDevice = Schemas["UnitView"];
export type Status = Schemas["StatusView"];
/** A rule that failed and is watched no more. */
export type IsolatedRule = Schemas["IsolatedRuleView"];
export type Rule = Schemas["RuleView"];
export type RuleDetail = Schemas["RuleDetail"];
export type RuleHistoryEntry = Schemas["HistoryEntry"];
export type RuleRevision = Schemas["RevisionView"];
export type RuleDifference = Schemas["DifferenceView"];
export type RuleChange = Schemas["RuleChangeView"];
export type RuleChangeDetail = Schemas["RuleChangeDetail"];
export type ChangeState = Schemas["ChangeState"];

export type Figures = Schemas["FiguresView"];
/** A draft beside the live rule. */
export type Tried = Schemas["TryView"];
/** When it was raised, when it cleared (null: it stood at the end), how urgent it became; in milliseconds UTC. */
export type Episode = Tried["live_episodes"][number];
export type Suggestion = Schemas["SuggestionView"];
export type Candidate = Schemas["CandidateView"];
export type Backtest = Schemas["BacktestView"];

/** What a rule holds its points against, as rule files write it; which keys it has depends on its type. */
export type ConditionContent = {
  type: string;
  limits?: LimitContents;
  deadband?: number;
  /** Of a forecast. */
  limit?: number;
  direction?: string;
  [key: string]: unknown;
};
export type LimitContents = Partial<Record<LimitSide, LimitContent>>;
export type LimitContent = { value?: number; point?: string; offset?: number; [key: string]: unknown };
export type LimitSide = "low_low" | "low" | "high" | "high_high";

/** A rule's definition as rule files write it, without its name. */
export type RuleContent = {
  title: LocalText;
  point: string;
  condition: ConditionContent;
  cause: LocalText;
  consequence: LocalText;
  corrective_action: LocalText;
  consequence_class: string;
  time_to_respond_min: number;
  only_when?: string | null;
  [key: string]: unknown;
};

/** In the order in which the console shows them. */
export const SYSTEMS: readonly System[] = ["lift", "pump", "fire", "access"];

/** 1 the most urgent. */
export const PRIORITIES: readonly Priority[] = [1, 2, 3, 4];
