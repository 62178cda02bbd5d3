// continue_client.mjs MODULE BASE TOKEN
//
// Asks a server for completions with Continue's own client code; prints what it made of the
// answers as one line of JSON.

import { pathToFileURL } from 'node:url';

const [, , module, base, token] = process.argv;
const { constructLlmApi } = await import(pathToFileURL(module).href);

const prompt = 'def add(a, b):\n    return ';
const suffix = '\n\n\nprint(add(1, 2))\n';
const shared = { model: 'qwen2.5-coder', max_tokens: 32, temperature: 0.01, stop: ['<|endoftext|>', '/src/'] };

async function text(chunks, of) {
  let all = '';
  for await (const chunk of chunks) all += of(chunk.choices[0]) ?? '';
  return all;
}

const signal = new AbortController().signal;
const told = {};
const mistral = constructLlmApi({ provider: 'mistral', apiKey: token, apiBase: base });
told.fim = await text(mistral.fimStream({ ...shared, prompt, suffix }, signal), (choice) => choice.delta.content);

const openai = constructLlmApi({ provider: 'openai', apiKey: token, apiBase: base });
const marked = `<|fim_prefix|>${prompt}<|fim_suffix|>${suffix}<|fim_middle|>`;
const legacy = { ...shared, prompt: marked };
told.stream = await text(openai.completionStream({ ...legacy, stream: true }, signal), (choice) => choice.text);
told.whole = (await openai.completionNonStream({ ...legacy, stream: false }, signal)).choices[0].text;
told.models = (await openai.list()).map((model) => model.id);

console.log(JSON.stringify(told));
