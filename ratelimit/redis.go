package ratelimit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisPrefix begins the names of all keys.
const redisPrefix = "weft:limit:"

// takeScript is decide of each budget, until one refuses, by the clock of Redis: whichever server asks, and whatever
// its clock says. Microseconds, as floating point numbers, which Redis' Lua has no others than.
//
// KEYS are the budgets; of each are in ARGV: requests, microseconds, burst, hits, and whether a refusal ends it.
var takeScript = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local out = {}
for i, key in ipairs(KEYS) do
  local at = (i - 1) * 5
  local gap = ARGV[at + 2] / ARGV[at + 1]
  local room = gap * ARGV[at + 3]
  local full = math.max(tonumber(redis.call('GET', key) or 0), now)
  local following = full + gap * ARGV[at + 4]
  local over = following - now - room
  -- what the division leaves over, below a microsecond, refuses nobody
  if over > 0.5 then
    out[#out + 1] = 0
    out[#out + 1] = 0
    out[#out + 1] = math.ceil(over)
    out[#out + 1] = math.ceil(full - now)
    if ARGV[at + 5] == '0' then break end
  else
    if following > now then
      redis.call('SET', key, string.format('%.17g', following), 'PX', math.ceil((following - now) / 1000) + 1)
    end
    out[#out + 1] = 1
    out[#out + 1] = math.floor((0.5 - over) / gap)
    out[#out + 1] = 0
    out[#out + 1] = math.ceil(following - now)
  end
end
return out
`)

// Redis is a Store that servers share, and agree by exactly. Budgets end there by themselves, once they are full.
type Redis struct{ client *redis.Client }

var _ Store = (*Redis)(nil)

// NewRedis is a Store at a URL, redis://[USER[:PASSWORD]@]HOST:PORT[/DB] or rediss:// with TLS, or at HOST:PORT.
func NewRedis(address string) (*Redis, error) {
	if !strings.Contains(address, "://") {
		address = "redis://" + address
	}
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("%w: write HOST:PORT, or redis://USER:PASSWORD@HOST:PORT", err)
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = redisTime, redisTime, redisTime
	o.MaxRetries, o.DialerRetries = -1, 1 // a request that was taken twice would be counted twice
	o.ContextTimeoutEnabled = true
	return &Redis{redis.NewClient(o)}, nil
}

func init() { redis.SetLogger(silent{}) } // what it would say is an error of Take, too

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// redisTime is below that for which a proxy waits.
const redisTime = 200 * time.Millisecond

// Take implements Store.
func (r *Redis) Take(ctx context.Context, asks []Ask, _ time.Time) ([]Decision, error) {
	keys, args := make([]string, len(asks)), make([]any, 0, 5*len(asks))
	for i, a := range asks {
		keys[i] = redisKey(a.Budget)
		goesOn := "0"
		if a.Shadow {
			goesOn = "1"
		}
		args = append(args, a.Rate.Requests, a.Rate.Per.Microseconds(), a.Rate.Burst, a.Hits, goesOn)
	}
	out, err := takeScript.Run(ctx, r.client, keys, args...).Int64Slice()
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if len(out)%4 != 0 || len(out) > 4*len(asks) {
		return nil, fmt.Errorf("redis: %d numbers for %d budgets", len(out), len(asks))
	}
	all := make([]Decision, len(out)/4)
	for i := range all {
		n := out[4*i:]
		all[i] = Decision{
			Allowed: n[0] == 1, Remaining: uint32(max(0, n[1])),
			Wait: time.Duration(n[2]) * time.Microsecond, Full: time.Duration(n[3]) * time.Microsecond,
		}
	}
	return all, nil
}

// Close ends all connections.
func (r *Redis) Close() error { return r.client.Close() }

// redisKey says which limit it is, for who looks, and not who is meant.
func redisKey(budget string) string {
	sum := sha256.Sum256([]byte(budget))
	return redisPrefix + limitOf(budget) + ":" + base64.RawURLEncoding.EncodeToString(sum[:18])
}
