--- Something that happens after a while, unless it is called off.

---@param milliseconds integer
---@param act fun()
---@return fun() call_off
return function(milliseconds, act)
  local timer = vim.defer_fn(act, milliseconds)
  return function()
    if not timer:is_closing() then
      timer:stop()
      timer:close()
    end
  end
end
