-- Task and Server: work without a room.
--
-- Methods without a result return nothing, or nil and an error; the others `result, err`.
local native = ...
local setmetatable = setmetatable
local link, calls = native.module("freekill/link"), native.module("freekill/calls")
local value, void, opened, check = link.value, link.void, link.opened, calls.check
local blob, made, milliseconds = calls.blob, calls.made, calls.milliseconds
local ServerPlayer = native.module("freekill/players").ServerPlayer

local tasks = {}

local Task = {}

function Task:getId() return self.id end
function Task:getTaskType() return self.taskType end
function Task:getData() return self.data end

function Task:delay(ms)
  ms = milliseconds(ms, "delay")
  return void("Task_delay", link.tell(link.conn or opened(), link.handlers, "Task_delay", self.id, ms))
end

function Task:decreaseRefCount()
  return void("Task_decreaseRefCount", link.tell(link.conn or opened(), link.handlers, "Task_decreaseRefCount",
    self.id))
end

--- The player the task belongs to; nil if that one is gone.
function Task:getPlayer()
  return made(ServerPlayer, blob(value("Task_getPlayer", link.ask(link.conn or opened(), link.handlers,
    "Task_getPlayer", self.id))))
end

local task_metatable = { __index = Task, __name = "fk.Task" }

--- A task as the server describes it: id, taskType, data.
function tasks.Task(t)
  check(t, "Task")
  return setmetatable({ id = t.id, taskType = t.taskType, data = t.data }, task_metatable)
end

calls.saving(Task, "Task_", "id", {
  saveGlobalState = "two", getGlobalSaveState = "one", savePlayerGlobalState = "two", getPlayerGlobalSaveState = "one",
})

local Server = {}
Server.__index = Server

--- The task of this id; nil and an error if there is none.
function Server:getTask(id) -- luacheck: ignore 212
  return made(tasks.Task, blob(value("Server_getTask", link.ask(link.conn or opened(), link.handlers,
    "Server_getTask", id))))
end

--- What gives tasks.
function tasks.Server()
  return setmetatable({}, Server)
end

return tasks
