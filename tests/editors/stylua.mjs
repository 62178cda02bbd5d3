// node stylua.mjs MODULE [--write] FILE...
//
// Names the Lua files that StyLua would write otherwise, or writes them so, as stylua.toml says.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [module, ...rest] = process.argv.slice(2)
const write = rest[0] === '--write'
const { Config, formatCode, IndentType, OutputVerification, QuoteStyle } = await import(
  pathToFileURL(`${module}/stylua_lib_node.mjs`).href
)

// Formatting takes a configuration away, so each file has one of its own.
function style() {
  const config = Config.new()
  config.column_width = 100
  config.indent_type = IndentType.Spaces
  config.indent_width = 2
  config.quote_style = QuoteStyle.AutoPreferSingle
  return config
}

for (const file of write ? rest.slice(1) : rest) {
  const text = readFileSync(file, 'utf8')
  const formatted = formatCode(text, style(), undefined, OutputVerification.None)
  if (formatted !== text) {
    console.log(file)
    if (write) writeFileSync(file, formatted)
  }
}
