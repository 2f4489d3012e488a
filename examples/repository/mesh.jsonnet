// Everything that the mesh is told: the table of services, and what follows from a line of it.
local weft = import 'lib/weft.libsonnet';
local services = import 'services.libsonnet';

local objects(s) =
  local name = s.team + '-' + s.name, host = name + '.example.com';
  [
    if 'dns' in s then weft.backend(name, s.team, host, 80, s.dns) else weft.service(name, s.team, host, 80, [s.address]),
    weft.paths(name, s.team, host, [
      weft.path('/slow/', '30s'),
      weft.path('/', s.timeout, std.get(s, 'retries', 0)),
    ]),
    weft.breaker(name, s.team, host),
  ];

[objects(s) for s in services]
+ [weft.caller('frontend', 'shop', ['cart-api.example.com', 'catalog-api.example.com', 'search-web.example.com'])]
