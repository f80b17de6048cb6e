-- Timers in a binary heap, the soonest first. Each knows its place, so that one in the middle can be taken out: calls
-- have timeouts, nearly all of which are cancelled.
--
-- It refuses to know what a timer is for: it is a table with a time `at`, in microseconds of the monotonic clock.
local timers = {}

-- Timers of the same time keep the order in which they were added.
local function before(one, other)
  return one.at < other.at or (one.at == other.at and one.number < other.number)
end

-- Put `timer` at `place` or above.
local function up(heap, timer, place)
  while place > 1 do
    local above = (place - place % 2) / 2
    local parent = heap[above]
    if not before(timer, parent) then break end
    heap[place], parent.place = parent, place
    place = above
  end
  heap[place], timer.place = timer, place
end

-- Put `timer` at `place` or below.
local function down(heap, timer, place)
  local count = heap.count
  while true do
    local below = place * 2
    if below > count then break end
    local child = heap[below]
    if below < count and before(heap[below + 1], child) then
      below = below + 1
      child = heap[below]
    end
    if not before(child, timer) then break end
    heap[place], child.place = child, place
    place = below
  end
  heap[place], timer.place = timer, place
end

--- An empty heap. Its loop has its `rush` set when there is a timer that is sooner than all others.
function timers.new(loop)
  return { count = 0, added = 0, loop = loop }
end

--- Add a timer, which is in no heap. What may fail for want of memory comes first.
function timers.add(heap, timer)
  local count, added = heap.count + 1, heap.added + 1
  timer.number, timer.place = added, false
  heap[count] = timer
  heap.count, heap.added = count, added
  up(heap, timer, count)
  if timer.place == 1 then heap.loop.rush = true end
end

--- Take a timer out; false if it is not in there.
function timers.remove(heap, timer)
  local place = timer.place
  if not place then return false end
  local count = heap.count
  local last = heap[count]
  heap[count], heap.count, timer.place = nil, count - 1, nil
  if last ~= timer then
    if place > 1 and before(last, heap[(place - place % 2) / 2]) then
      up(heap, last, place)
    else
      down(heap, last, place)
    end
  end
  return true
end

return timers
