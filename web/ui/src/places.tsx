import { lazy, type ReactNode } from "react";
import { Explain } from "./explain/explain";
import { Fleet } from "./fleet/fleet";
import { Problems } from "./problems/problems";
import { Release } from "./release/release";
import { Releases } from "./releases/releases";
import { Service } from "./service/service";
import { Services } from "./services/services";

const Traces = lazy(() => import("./traces/traces"));
const MapPage = lazy(() => import("./map/map"));
const Dashboards = lazy(() => import("./dashboards/dashboards"));
const Pipelines = lazy(() => import("./pipelines/pipelines"));
const Pipeline = lazy(() => import("./pipelines/pipeline"));
const Settings = lazy(() => import("./settings/settings"));
const Run = lazy(() => import("./pipelines/run"));

export interface Page {
  name: string; // in the URL
  title: string;
  icon?: ReactNode; // none: it is reached from another one
  of?: string; // that one
  list?: () => ReactNode; // the page itself; none: there is only one of each thing
  one?: (namespace: string, name: string) => ReactNode; // the page of one thing on it
}

// The places, in the order of the rail. The first is where people begin.
export const places: Page[] = [
  {
    name: "services",
    title: "Services",
    icon: <path d="M8 1.5 14 5v6l-6 3.5L2 11V5zM2 5l6 3.5L14 5M8 8.5v6" />,
    list: () => <Services />,
    one: (namespace, name) => <Service namespace={namespace} name={name} />,
  },
  { name: "traces", title: "Traces", of: "services", list: () => <Traces /> },
  {
    name: "map",
    title: "Map",
    icon: <path d="M5 8h3.5M8.5 8 11 4.2M8.5 8 11 11.8M1.5 6.2H5v3.6H1.5zM11 2h3.5v3.6H11zM11 10.4h3.5V14H11z" />,
    list: () => <MapPage />,
  },
  {
    name: "releases",
    title: "Releases",
    icon: <path d="M2 12.5h3.5l5-9H14M11.5 1.2 14 3.5l-2.5 2.3M2 3.5h3.5" />,
    list: () => <Releases />,
    one: (namespace, name) => <Release namespace={namespace} name={name} />,
  },
  {
    name: "pipelines",
    title: "Pipelines",
    of: "releases",
    list: () => <Pipelines />,
    one: (namespace, name) => <Pipeline namespace={namespace} name={name} />,
  },
  {
    name: "runs",
    title: "Pipelines",
    of: "pipelines",
    one: (namespace, name) => <Run namespace={namespace} name={name} />,
  },
  {
    name: "dashboards",
    title: "Dashboards",
    icon: <path d="M2 2v12h12M4.5 11 7 7l2.5 2L13.5 4" />,
    list: () => <Dashboards />,
  },
  {
    name: "fleet",
    title: "Fleet",
    icon: <path d="M2 2.5h5v4.5H2zM9 2.5h5v4.5H9zM2 9h5v4.5H2zM9 9h5v4.5H9z" />,
    list: () => <Fleet />,
  },
  {
    name: "problems",
    title: "Problems",
    icon: <path d="M8 2 14.5 13.5h-13zM8 6.5v3.5M8 11.7v.1" />,
    list: () => <Problems />,
  },
  {
    name: "explain",
    title: "Explain",
    list: () => <Explain />,
  },
  {
    name: "settings",
    title: "Settings",
    icon: <path d="M2 4.5h7M13 4.5h1M2 11.5h1M7 11.5h7M11 2.5v4M5 9.5v4" />,
    list: () => <Settings />,
  },
];

// placeOf is the place of a path, and rootOf the one of the rail that leads there.
export const placeOf = (path: string[]): Page | undefined => places.find((p) => p.name === (path[0] ?? places[0]!.name));

export const rootOf = (place: Page): Page => (place.of ? rootOf(placeOf([place.of])!) : place);
