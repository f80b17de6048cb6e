// vscode-jsonrpc, the library of Visual Studio Code's language clients, against spec/clients/server.lua:
// node vscode_jsonrpc.mjs SERVER FOLDER, from a folder with node_modules.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const rpc = require("vscode-jsonrpc/node");

const [server, folder] = process.argv.slice(2);
const hang = setTimeout(() => { throw new Error("no end after 60 s"); }, 60_000);

const child = spawn("lua5.4", [server], { cwd: folder, env: { PATH: process.env.PATH }, stdio: ["pipe", "pipe", "inherit"] });
const ended = new Promise((resolve) => child.on("exit", (code, signal) => resolve(code ?? signal)));
const reader = new rpc.StreamMessageReader(child.stdout);
const errors = [];
const logger = { error: (text) => errors.push(text), warn: (text) => errors.push(text), info() {}, log() {} };
const connection = rpc.createMessageConnection(reader, new rpc.StreamMessageWriter(child.stdin), logger);

reader.onError((error) => errors.push(error));
connection.onError((error) => errors.push(error));
connection.onUnhandledNotification((message) => errors.push(message));

const heard = [];
connection.onNotification("hello", (name) => heard.push(["hello", name]));
connection.onNotification("print", (...texts) => heard.push(["print", ...texts]));
connection.onRequest("hint", async ({ name }) => {
  if (name === "nobody") throw new rpc.ResponseError(-32001, "nobody is here");
  return `play ${name} ${await connection.sendRequest("echo", [name]).then((echo) => echo[0])}`;
});
connection.listen();

assert.deepEqual(await connection.sendRequest("echo", { text: "ö\u{1f600}\r\n\r\n", list: [], n: 1.5 }),
  { text: "ö\u{1f600}\r\n\r\n", list: [], n: 1.5 });
const big = "x".repeat(2_000_000);
assert.equal((await connection.sendRequest("echo", { big })).big.length, big.length);
const numbers = await Promise.all([...Array(200).keys()].map((n) => connection.sendRequest("echo", { n })));
assert.deepEqual(numbers.map(({ n }) => n), [...Array(200).keys()]);

assert.deepEqual(await connection.sendRequest("ask", { name: "slash" }), { answer: "play slash slash" });
assert.deepEqual(await connection.sendRequest("ask", { name: "nobody" }), { code: -32001 });
await assert.rejects(connection.sendRequest("refuse"),
  (error) => error.code === 404 && error.message === "no such room" && error.data.room === 9);
await assert.rejects(connection.sendRequest("nothing"), (error) => error.code === rpc.ErrorCodes.MethodNotFound);
assert.deepEqual(heard, [["hello", "wörld"], ["print", "asking", "slash"], ["print", "asking", "nobody"]]);

assert.deepEqual(errors, []);

// What is no message is answered, and costs nothing that follows.
child.stdin.write("stray output\n");
assert.deepEqual(await connection.sendRequest("echo", { n: 1 }), { n: 1 });
assert.equal(errors.length, 1, String(errors));
assert.match(String(errors[0]), /-32700/);

await connection.sendNotification("exit");
assert.equal(await ended, 0);
clearTimeout(hang);
connection.dispose();
console.log("vscode-jsonrpc: ok");
