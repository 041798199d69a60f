import { createBrowserRouter, Navigate } from "react-router";
import { AlarmsPage } from "../alarms/AlarmsPage";
import { AssetPage } from "../assets/AssetPage";
import { GatewayPage } from "../gateway/GatewayPage";
import { OrdersPage } from "../orders/OrdersPage";
import { OverviewPage } from "../overview/OverviewPage";
import { ChangesPage } from "../rules/ChangesPage";
import { RulesPage } from "../rules/RulesPage";
import { TrendPage } from "../trend/page/TrendPage";
import { TuningPage } from "../tuning/TuningPage";
import { Frame } from "./Frame";
import { LostPage } from "./LostPage";

/** `/api` and `/assets` belong to the server. */
export const router = createBrowserRouter([
  {
    element: <Frame />,
    children: [
      { index: true, element: <Navigate to="/alarms" replace /> },
      { path: "alarms/:alarmId?", element: <AlarmsPage /> },
      { path: "overview", element: <OverviewPage /> },
      { path: "equipment/:assetId", element: <AssetPage /> },
      { path: "work-orders/:orderId?", element: <OrdersPage /> },
      { path: "trend", element: <TrendPage /> },
      { path: "rules/:ruleId?", element: <RulesPage /> },
      { path: "rules/:ruleId/tune", element: <TuningPage /> },
      { path: "rule-changes/:changeId?", element: <ChangesPage /> },
      { path: "gateway", element: <GatewayPage /> },
      { path: "*", element: <LostPage /> },
    ],
  },
]);
