"""What a `RedisStore` writes, as Lua that Redis runs in one piece.

Rows lie in one hash, and their keys in a sorted set of equal scores, which Redis keeps in the order
of their bytes. A log is a stream whose ids are `<position>-0`. Every write carries a mark of its
own: repeated with the same mark, because the answer to the first was lost, it answers what the
first one did and writes nothing.

https://redis.io/docs/latest/develop/programmability/eval-intro/
"""

from __future__ import annotations

#: Seconds that a mark is remembered: longer than anybody goes on trying.
_REMEMBERED_S = 3600

_ONCE = f"""
local said = redis.call('GET', KEYS[1])
if said then return said end
local function say(answer)
  redis.call('SET', KEYS[1], answer, 'EX', {_REMEMBERED_S})
  return answer
end
"""

#: KEYS mark, rows, keys. ARGV key, value.
PUT = f"""{_ONCE}
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return say('1')
"""

#: KEYS mark, rows, keys. ARGV key, value. '1' if it was written.
PUT_IF_ABSENT = f"""{_ONCE}
if redis.call('HSETNX', KEYS[2], ARGV[1], ARGV[2]) == 0 then return say('0') end
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return say('1')
"""

#: KEYS mark, rows, keys. ARGV key, value, what is there ('' for nothing). '0', unmarked, if not.
REPLACE = f"""{_ONCE}
if (redis.call('HGET', KEYS[2], ARGV[1]) or '') ~= ARGV[3] then return '0' end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return say('1')
"""

#: KEYS mark, rows, keys. ARGV key. '1' if there was one.
DELETE = f"""{_ONCE}
redis.call('ZREM', KEYS[3], ARGV[1])
return say(tostring(redis.call('HDEL', KEYS[2], ARGV[1])))
"""

#: KEYS rows, keys. ARGV lowest, highest, as ZRANGEBYLEX has them. Keys and values in turn.
LIST = """
local found = {}
local keys = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2])
for _, key in ipairs(keys) do
  found[#found + 1] = key
  found[#found + 1] = redis.call('HGET', KEYS[1], key)
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
