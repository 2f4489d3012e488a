// Generated from Go by `go generate ./web`: what the API answers.

export type State = "bad" | "warn" | "changing" | "ok" | "idle";

export type NodeKind = "service" | "outside" | "gateway" | "caller";

export interface Status {
  version: string;
  revision: number;
  proxies: number;
  current: number;
  workloads: number;
  healthy: number;
  problems: number;
  meshPort: string;
  commit?: string;
}

export interface Attention {
  state: State;
  text: string;
  page: string;
}

export interface Overview {
  status: Status;
  attention: Attention[];
  more: number;
}

export interface Calls {
  rate: number;
  success: number;
  fallbacks: number;
  p50: number;
  p99: number;
  requests: number;
}

export interface Version {
  version: string;
  instances: number;
  healthy: number;
  weight?: number;
  calls: Calls;
}

export interface Release {
  namespace: string;
  name: string;
  application: string;
  version: string;
  from?: string;
  strategy?: string;
  undo: boolean;
  state: State;
  phase: string;
  weight: number;
  why?: string;
  by?: string;
  started: string;
  ended?: string;
}

export interface Service {
  namespace: string;
  name: string;
  host: string;
  external: boolean;
  state: State;
  why?: string;
  calls: Calls;
  versions: Version[];
  problems: number;
  release?: Release;
}

export interface Services {
  services: Service[];
  total: number;
  all: number;
}

export interface End {
  namespace: string;
  app: string;
  version?: string;
}

export interface Edge {
  source: End;
  destination: End;
  port: number;
  rate: number;
  success: number;
  p50: number;
  p99: number;
  connections: number;
  plain?: boolean;
  requests: number;
  errors: number;
  retries: number;
  fallbacks: number;
  timeouts?: number;
  exhausted?: number;
  overflows?: number;
  unconnected?: number;
}

export interface Origin {
  object: string;
  path?: string;
  file?: string;
}

export interface Route {
  name?: string;
  via: string;
  match: string;
  action: string;
  timeout?: string;
  retries?: string;
  from: Origin;
}

export interface Workload {
  id: string;
  app?: string;
  version?: string;
  gateway?: string;
  address: string;
  health: string;
}

export interface Problem {
  kind: string;
  namespace?: string;
  name: string;
  code: string;
  path?: string;
  message: string;
  file?: string;
  line?: number;
  suppressed?: boolean;
}

export interface Address {
  version: string;
  header: string;
}

export interface ServicePage {
  namespace: string;
  name: string;
  host: string;
  external: boolean;
  state: State;
  why?: string;
  calls: Calls;
  versions: Version[];
  problems: number;
  release?: Release;
  ports: string[];
  callers: Edge[];
  callees: Edge[];
  routes: Route[];
  instances: Workload[];
  known: number;
  found: Problem[];
  releases: Release[];
  from: Origin[];
  addresses: Address[];
}

export interface Releases {
  releases: Release[];
  total: number;
  all: number;
}

export interface Answered {
  requests: number;
  errors: number;
}

export interface Bet {
  worth: number;
  need: number;
}

export interface Part {
  name: string;
  old: Answered;
  new: Answered;
  worse: Bet;
}

export interface Evidence {
  old: Answered;
  new: Answered;
  increase: number;
  allowed: number;
  step: number;
  needStep: number;
  worse: Bet;
  notWorse: Bet;
  part?: Part;
}

export interface Share {
  requests: number;
  errors: number;
  of1: number;
  low: number;
  high: number;
}

export interface Seen {
  time: string;
  weight: number;
  old: Share;
  new: Share;
}

export interface ReleaseEvent {
  time: string;
  text: string;
  weight: number;
}

export interface ReleasePage {
  namespace: string;
  name: string;
  application: string;
  version: string;
  from?: string;
  strategy?: string;
  undo: boolean;
  state: State;
  phase: string;
  weight: number;
  why?: string;
  by?: string;
  started: string;
  ended?: string;
  service?: string;
  steps: number[];
  reason?: string;
  aborter?: string;
  promoter?: string;
  evidence?: Evidence;
  trail: Seen[];
  versions: Version[];
  events: ReleaseEvent[];
}

export interface Member {
  id: string;
  app: string;
  version?: string;
  gateway: boolean;
  address?: string;
  health: string;
  connected: boolean;
  current: boolean;
  revision: number;
  envoy?: string;
  refused?: string[];
  state: State;
  why?: string;
}

export interface Fleet {
  members: Member[];
  total: number;
  all: number;
  revision: number;
}

export interface NodeVersion {
  version: string;
  healthy: number;
  all: number;
  weight?: number;
}

export interface Node {
  namespace: string;
  name: string;
  kind: NodeKind;
  state: State;
  why?: string;
  rate: number;
  failing: number;
  fallbacks?: number;
  p99: number;
  versions?: NodeVersion[];
  releasing?: string;
}

export interface Way {
  from: number;
  to: number;
  rate: number;
  failing: number;
  fallbacks?: number;
  p99: number;
  state: State;
  plain: boolean;
}

export interface Topology {
  time: string;
  nodes: Node[];
  ways: Way[];
  left: number;
}

export interface Moment {
  time: string;
  rate: number;
  failing: number;
}

export interface Mark {
  time: string;
  state: State;
  text: string;
  page: string;
}

export interface Past {
  moments: Moment[];
  marks: Mark[];
}

export interface Named {
  name: string;
  title: string;
}

export interface Variable {
  name: string;
  value: string;
  values: string[];
}

export interface Line {
  name: string;
  at: number[];
  values: number[];
}

export interface Panel {
  title: string;
  help?: string;
  unit: string;
  lines: Line[];
  more: number;
}

export interface Board {
  name: string;
  title: string;
  others: Named[];
  from: string;
  to: string;
  step: number;
  variables: Variable[];
  panels: Panel[];
  marks: Mark[];
  why?: string;
}

export interface Change {
  revision: number;
  releases: number;
  time: string;
}

export interface Run {
  namespace: string;
  name: string;
  pipeline: string;
  state: State;
  phase: string;
  why?: string;
  asks: string[];
  by?: string;
  trigger: string;
  started: string;
  ended?: string;
}

export interface Pipeline {
  namespace: string;
  name: string;
  application?: string;
  description?: string;
  stages: number;
  disabled: boolean;
  locked?: string;
  problems: number;
  state: State;
  runs: Run[];
}

export interface Pipelines {
  pipelines: Pipeline[];
  total: number;
  all: number;
}

export interface Parameter {
  name: string;
  description?: string;
  required?: boolean;
  default?: string;
  options?: string[];
}

export interface Stage {
  name: string;
  title?: string;
  kind: string;
  summary: string;
  after: string[];
  when?: string;
  onFailure: string;
}

export interface Trigger {
  name: string;
  kind: string;
  state: string;
  next?: string;
  run?: string;
  why?: string;
}

export interface PipelinePage {
  namespace: string;
  name: string;
  application?: string;
  description?: string;
  stages: number;
  disabled: boolean;
  locked?: string;
  problems: number;
  state: State;
  runs: Run[];
  parameters: Parameter[];
  graph: Stage[];
  triggers: Trigger[];
  found: Problem[];
  notStart?: string;
}

export interface Question {
  text: string;
  choices: string[];
  roles: string[];
  self: boolean;
  ends?: string;
  not?: string;
}

export interface RunStage {
  name: string;
  title?: string;
  kind: string;
  summary: string;
  after: string[];
  when?: string;
  onFailure: string;
  state: State;
  phase?: string;
  attempt?: number;
  why?: string;
  started?: string;
  ended?: string;
  outputs?: Record<string, string>;
  child?: string;
  question?: Question;
}

export interface RunEvent {
  time: string;
  kind: string;
  stage?: string;
  text?: string;
}

export interface RunPage {
  namespace: string;
  name: string;
  pipeline: string;
  state: State;
  phase: string;
  why?: string;
  asks: string[];
  by?: string;
  trigger: string;
  started: string;
  ended?: string;
  uid: string;
  application?: string;
  parameters: Record<string, string>;
  facts: Record<string, string>;
  parents: string[];
  graph: RunStage[];
  events: RunEvent[];
  sealed: number;
  notCancel?: string;
}

export interface JudgeRequest {
  stage: string;
  attempt: number;
  choice: string;
  reason?: string;
}

export interface CancelRequest {
  reason?: string;
}

export interface StartRequest {
  parameters: Record<string, string>;
}

export interface Freeze {
  name: string;
  holds: boolean;
  what: string;
  reason: string;
  by?: string;
  except: string[];
  from?: string;
  until?: string;
}

export interface FreezeRequest {
  reason: string;
  except: string[];
  namespaces: string[];
  applications: string[];
  until?: string;
}

export interface Field {
  name: string;
  type: string;
  help?: string;
  options?: string[];
  required: boolean;
  long: boolean;
}

export interface PipelineText {
  text: string;
  version: string;
  kinds: Record<string, Field[]>;
}

export interface TextChange {
  stage: string;
  field?: string;
  value?: string;
  add?: string;
  after?: string[];
  remove?: boolean;
}

export interface EditRequest {
  text: string;
  version: string;
  change?: TextChange;
}

export interface Edited {
  text: string;
  graph: Stage[];
  values: Record<string, Record<string, string>>;
  problems: Problem[];
  refused?: string;
  conflict: boolean;
}

export interface ReleaseRequest {
  version: string;
  strategy?: string;
}

export interface UndoChange {
  part: string;
  kind: string;
  name: string;
  text: string[];
  becomes: string;
}

export interface UndoPlan {
  from?: string;
  to: string;
  changes: UndoChange[];
  unknown?: string;
}

export interface UndoRequest {
  to: string;
  reason?: string;
}

export interface Done {
  page?: string;
}

export interface Summary {
  id: string;
  namespace?: string;
  service: string;
  name: string;
  start: string;
  duration: number;
  spans: number;
  services: string[];
  failed?: boolean;
  found: number;
}

export interface Counts {
  spans: number;
  tooMany: number;
  tooOld: number;
  invalid: number;
  cut: number;
  lost: number;
  unsent: number;
  unwritten: number;
  traces: number;
  bytes: number;
  limit: number;
}

export interface Traces {
  traces: Summary[];
  store: Counts;
}

export interface Attribute {
  name: string;
  value: string;
}

export interface Event {
  name: string;
  at: string;
}

export interface Bar {
  trace: string;
  id: string;
  parent?: string;
  namespace?: string;
  service: string;
  version?: string;
  workload?: string;
  proxy?: boolean;
  name: string;
  kind: string;
  start: string;
  duration: number;
  failed?: boolean;
  message?: string;
  attributes?: Attribute[];
  events?: Event[];
  depth: number;
  offset: number;
  orphan?: boolean;
}

export interface Waterfall {
  id: string;
  namespace?: string;
  service: string;
  name: string;
  start: string;
  duration: number;
  spans: number;
  services: string[];
  failed?: boolean;
  found: number;
  steps: Bar[];
}

export interface PreviewRequest {
  namespace: string;
  application: string;
  version: string;
  for?: string;
  host?: string;
}

export interface PreviewLink {
  host: string;
  url: string;
}

export interface PreviewReply {
  links: PreviewLink[];
  header: string;
  token: string;
  ends: string;
}

export interface Role {
  namespace: string;
  application: string;
  may: string[];
  mayNot: string[];
}

export interface Budget {
  name: string;
  used: number;
  most: number;
  bytes: boolean;
  flag: string;
  full: string;
}

export interface Settings {
  name?: string;
  groups: string[];
  administrator: boolean;
  roles: Role[];
  version: string;
  budgets: Budget[];
}

export interface Session {
  here: boolean;
  provider?: string;
  name?: string;
  until?: string;
  command?: string;
}

export interface SignIn {
  token: string;
}

export interface Rights {
  not: Record<string, string>;
}

export interface ExplainPart {
  name?: string;
  text?: string;
  from?: string[];
}

export interface ExplainMiss {
  name?: string;
  text?: string;
  from?: string[];
  why: string;
}

export interface ExplainAnswer {
  percent: number;
  status: number;
  text: string;
  from?: string[];
}

export interface ExplainGuard {
  allowed: boolean;
  policy?: string;
  text: string;
  dryRun?: string[];
  from?: string[];
  limits?: ExplainPart[];
}

export interface ExplainEndpoint {
  address: string;
  workload?: string;
  version?: string;
  health: string;
  place?: string;
  guard?: ExplainGuard;
}

export interface ExplainTarget {
  name?: string;
  text?: string;
  from?: string[];
  percent: number;
  breaker?: string;
  fallback?: string;
  endpoints?: ExplainEndpoint[];
}

export interface ExplainTrace {
  proxy: string;
  identity: string;
  listener: ExplainPart;
  host: ExplainPart;
  route: ExplainPart;
  misses?: ExplainMiss[];
  moreMisses?: number;
  policies?: ExplainPart[];
  answers?: ExplainAnswer[];
  targets?: ExplainTarget[];
}

// What the code of a problem means.
export const meanings: Record<string, string> = {
  Invalid: "It cannot be read, or contradicts itself",
  MissingService: "It names a service that does not exist",
  MissingCaller: "It lets somebody call who is not there",
  MissingPort: "The service has no such port",
  MissingSubset: "No policy defines the subset",
  MissingGateway: "It attaches to a gateway or listener that does not exist",
  MissingSecret: "It names a certificate that does not exist",
  HostConflict: "The host belongs to another namespace or object",
  Conflict: "An older object decides the same thing",
  NotPermitted: "The owner of what it names did not allow it",
  NotHonoured: "weft does not do this",
  Unreachable: "No request can reach the rule",
  Refused: "A proxy refused what came of it, and keeps what it had",
  Held: "Too much disappeared at once: it stays in effect",
  Stale: "The newest cannot be had: what was read before is in effect",
  MissingKeys: "The keys of its tokens cannot be had, so they are refused",
  Evadable: "It denies by path, which may be written in other ways",
  MissingModule: "The code that it names cannot be had",
};
