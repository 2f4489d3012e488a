// What a repository says of its services, in few words.
{
  local ours(kind, name, namespace) = { apiVersion: 'weft.dev/v1alpha1', kind: kind, metadata: { name: name, namespace: namespace } },
  local named(kind, name, namespace) = { apiVersion: 'networking.istio.io/v1', kind: kind, metadata: { name: name, namespace: namespace } },

  // service is a service at fixed addresses, called by its host.
  service(name, namespace, host, port, addresses):: named('ServiceEntry', name, namespace) {
    spec: {
      hosts: [host],
      location: 'MESH_EXTERNAL',
      ports: [{ number: port, name: 'http', protocol: 'HTTP' }],
      resolution: 'STATIC',
      endpoints: [{ address: address } for address in addresses],
    },
  },

  // backend is a service behind a DNS name, such as a load balancer's.
  backend(name, namespace, host, port, address):: $.service(name, namespace, host, port, [address]) {
    spec+: { resolution: 'DNS' },
  },

  // paths is how calls of a host go on: rules, of which the first that fits decides.
  paths(name, namespace, host, rules):: named('VirtualService', name, namespace) {
    spec: { hosts: [host], http: [rule { route: [{ destination: { host: host } }] } for rule in rules] },
  },

  // path is a rule for what begins with a prefix: how long a call may take, and how often it is tried again.
  path(prefix, timeout, retries=0):: {
    match: [{ uri: { prefix: prefix } }],
    timeout: timeout,
    retries: { attempts: retries } + (if retries > 0 then { retryOn: '5xx,connect-failure' } else {}),
  },

  // caller is an application that calls these hosts and no others.
  caller(name, namespace, hosts):: named('Sidecar', name, namespace) {
    spec: { workloadSelector: { labels: { app: name } }, egress: [{ hosts: ['*/' + host for host in hosts] }] },
  },

  // resilience is how a service of the mesh is called, whoever routes to it: timeouts, retries, breakers, fallbacks.
  resilience(name, namespace, settings):: ours('Resilience', name, namespace) {
    spec: { targetRefs: [{ kind: 'Service', name: name }] } + settings,
  },

  // limits bound how many requests a service of the mesh takes in.
  limits(name, namespace, all):: ours('RateLimit', name, namespace) {
    spec: { targetRefs: [{ kind: 'Service', name: name }], limits: all },
  },

  // limit is so many requests in a time, together or, with a key such as {header: 'x-tenant'}, of each.
  limit(name, requests, per='second', key=null):: { name: name, requests: requests, per: per } + (if key == null then {} else { key: [key] }),

  // breaker bounds what waits for a host, and leaves out endpoints that fail.
  breaker(name, namespace, host, pending=100, errors=5):: named('DestinationRule', name, namespace) {
    spec: {
      host: host,
      trafficPolicy: {
        connectionPool: { http: { http1MaxPendingRequests: pending } },
        outlierDetection: { consecutive5xxErrors: errors, interval: '10s', baseEjectionTime: '30s' },
      },
    },
  },
}
