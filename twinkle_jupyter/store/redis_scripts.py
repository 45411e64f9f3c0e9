"""What a `RedisStore` writes, as Lua that Redis runs in one piece.

Rows lie in one hash, and their keys in a sorted set of equal scores, which Redis keeps in the order
of their bytes. Another sorted set has the moments, in ms by the server's clock, after which a row
is there no longer; the next write takes it away. A log is a stream whose ids are `<position>-0`.
Every write carries a mark of its own: repeated with the same mark, because the answer to the first
was lost, it answers what the first one did and writes nothing.

https://redis.io/docs/latest/develop/programmability/eval-intro/
"""

from __future__ import annotations

#: Seconds that a mark is remembered: longer than anybody goes on trying.
_REMEMBERED_S = 3600

#: In the place of a time to live: that which the row has.
KEEP = "keep"

_ONCE = f"""
local said = redis.call('GET', KEYS[1])
if said then return said end
local function say(answer)
  redis.call('SET', KEYS[1], answer, 'EX', {_REMEMBERED_S})
  return answer
end
"""

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

#: Of a write to rows: KEYS mark, rows, keys, expiries.
_WRITE = f"""{_ONCE}{_NOW}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now)) do
  redis.call('HDEL', KEYS[2], key)
  redis.call('ZREM', KEYS[3], key)
  redis.call('ZREM', KEYS[4], key)
end
local function write(key, value, ttl_ms)
  redis.call('HSET', KEYS[2], key, value)
  redis.call('ZADD', KEYS[3], 0, key)
  if ttl_ms == '{KEEP}' then return end
  if ttl_ms == '' then redis.call('ZREM', KEYS[4], key)
  else redis.call('ZADD', KEYS[4], now + ttl_ms, key) end
end
"""

#: ARGV key, value, time to live in ms ('' for good).
PUT = f"""{_WRITE}
write(ARGV[1], ARGV[2], ARGV[3])
return say('1')
"""

#: ARGV key, value, time to live. '1' if it was written.
PUT_IF_ABSENT = f"""{_WRITE}
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return say('0') end
write(ARGV[1], ARGV[2], ARGV[3])
return say('1')
"""

#: ARGV key, value, time to live or `KEEP`, what is there ('' for nothing). '0', unmarked, if not.
REPLACE = f"""{_WRITE}
if (redis.call('HGET', KEYS[2], ARGV[1]) or '') ~= ARGV[4] then return '0' end
write(ARGV[1], ARGV[2], ARGV[3])
return say('1')
"""

#: ARGV key. '1' if there was one.
DELETE = f"""{_WRITE}
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
return say(tostring(redis.call('HDEL', KEYS[2], ARGV[1])))
"""

#: KEYS rows, expiries. ARGV keys. Their values, nil for none.
GET = f"""{_NOW}
local found = {{}}
for i, key in ipairs(ARGV) do
  local at = redis.call('ZSCORE', KEYS[2], key)
  found[i] = not (at and tonumber(at) <= now) and redis.call('HGET', KEYS[1], key)
end
return found
"""

#: KEYS rows, keys, expiries. ARGV lowest, highest, as ZRANGEBYLEX has them. Keys, values in turn.
LIST = f"""{_NOW}
local gone = {{}}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do gone[key] = true end
local found = {{}}
for _, key in ipairs(redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2])) do
  if not gone[key] then
    found[#found + 1] = key
    found[#found + 1] = redis.call('HGET', KEYS[1], key)
  end
end
return found
"""

#: KEYS mark, stream. ARGV channel, log, entries. The last one's position.
APPEND = f"""{_ONCE}
local newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local position = newest and tonumber(string.match(newest[1], '^%d+')) or 0
for i = 3, #ARGV do
  position = position + 1
  redis.call('XADD', KEYS[2], string.format('%d-0', position), 'e', ARGV[i])
end
redis.call('PUBLISH', ARGV[1], ARGV[2])
return say(string.format('%d', position))
"""

#: KEYS stream. ARGV position. The newest entry stays.
TRUNCATE = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not newest then return 0 end
local through = math.min(tonumber(ARGV[1]), tonumber(string.match(newest[1], '^%d+')) - 1)
return redis.call('XTRIM', KEYS[1], 'MINID', '=', string.format('%d-0', through + 1))
"""
