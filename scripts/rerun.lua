-- For scripts that start children which need the library: build it, and run the script again with it on the path.
--
-- Returns a function: given the scripts' folder, it comes back in the second run alone, with the root folder and the
-- interpreter's name.

return function(here)
  local stamp = dofile(here .. "/stamp.lua")
  local root = stamp.absolute(here .. "/..")
  local lowest = 0
  while arg[lowest - 1] do lowest = lowest - 1 end
  local interpreter = arg[lowest]
  if os.getenv("FKRPC_RERUN") then return root, interpreter end
  local quote = stamp.quote
  local version = _VERSION == "Lua 5.1" and "" or "_" .. _VERSION:match("%d.*"):gsub("%.", "_")
  local words = {}
  for _, word in ipairs(arg) do words[#words + 1] = quote(word) end
  local built = os.execute(quote(interpreter) .. " " .. quote(here .. "/build.lua"))
  if not (built == true or built == 0) then os.exit(1) end
  local path = quote(stamp.paths(root, stamp.lua_name()).folder .. "/?.so;;")
  local done = os.execute("FKRPC_RERUN=1 LUA_CPATH=" .. path .. " LUA_CPATH" .. version .. "=" .. path .. " "
    .. quote(interpreter) .. " " .. quote(arg[0]) .. " " .. table.concat(words, " "))
  os.exit((done == true or done == 0) and 0 or 1)
end
