--- The colours, all linked to groups that every colour scheme has.

local M = {}

local GROUPS = {
  MidfillGhost = vim.fn.hlexists('ComplHint') == 1 and 'ComplHint' or 'NonText',
  MidfillGhostMore = vim.fn.hlexists('ComplHintMore') == 1 and 'ComplHintMore' or 'MoreMsg',
  MidfillKnown = 'String',
  MidfillGuess = 'Comment',
  MidfillMask = 'NonText',
}

function M.define()
  for group, target in pairs(GROUPS) do
    vim.api.nvim_set_hl(0, group, { link = target, default = true })
  end
end

return M
