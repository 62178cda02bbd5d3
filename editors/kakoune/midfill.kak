# Suggestions without a language server, when you ask for them.
#
# SPDX-License-Identifier: Apache-2.0

declare-option -hidden completions midfill_completions
declare-option -docstring 'the program to ask' str midfill_program midfill

define-command midfill-complete -docstring '
save the file and offer what Midfill puts at the cursor as a completion' %{
    write
    evaluate-commands %sh{
        case "$kak_opt_completers" in
            *option=midfill_completions*) ;;
            *) echo 'set-option window completers option=midfill_completions %opt{completers}' ;;
        esac
    }
    echo 'Midfill is thinking…'
    nop %sh{
        {
            place="$kak_buffile:$kak_cursor_line:$kak_cursor_char_column"
            answer=$("$kak_opt_midfill_program" fill "$place" --json 2>&1)
            printf '%s' "$answer" | python3 -c '
import json, re, sys

session, client, buffer, file, line, column, timestamp = sys.argv[1:]
quote = lambda text: "'\''" + text.replace("'\''", "'\'''\''") + "'\''"
escape = lambda text: text.replace("\\", "\\\\").replace("|", "\\|")
answer = sys.stdin.read()
try:
    fill = json.loads(answer)["text"]
except ValueError:
    fill, said = "", (answer.strip().splitlines() or ["no answer"])[-1]
else:
    said = "" if fill.strip() else "Midfill suggests nothing here"
if said:
    brace = chr(123)  # one by itself would end the command
    command = "echo -markup " + quote("{Error}" + said.replace(brace, "\\" + brace))
else:
    with open(file, encoding="utf-8", newline="") as text:
        before = text.read().split("\n")[int(line) - 1].encode()[: int(column) - 1]
    word = re.search(r"\w*\Z", before.decode()).group()
    start = int(column) - len(word.encode())
    entry = "|".join([escape(word + fill), "", escape((word + fill).strip().split("\n")[0])])
    header = f"{line}.{start}+{len(word.encode())}@{timestamp}"
    command = f"set-option buffer midfill_completions {header} " + quote(entry) + "; echo"
print("evaluate-commands -client", quote(client), quote(command))
' "$kak_session" "$kak_client" "$kak_bufname" "$kak_buffile" "$kak_cursor_line" "$kak_cursor_column" \
  "$kak_timestamp" | kak -p "$kak_session"
        } >/dev/null 2>&1 </dev/null &
    }
}
