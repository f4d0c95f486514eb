/**
 * Every message of pb/ as a class that encodes and decodes, by package: `IM.Login.IMLoginReq.decode(body)`.
 * Nobody imports the generated code but this file, so the run-time is set up before it is first used.
 *
 * What decoding gives: fields that did not come are undefined, repeated ones empty; bytes are views of the input,
 * to be copied when kept. It throws when bytes end early, a required field is missing or its enum value is unknown.
 */
import protobuf from 'protobufjs/minimal.js';
import { IM } from '#pb';

// 64-bit fields are times in milliseconds, far below 2^53: plain numbers instead of Long objects.
protobuf.util.Long = null as never;
protobuf.configure();

// A server decodes, changes and encodes again. What it does not know must not slip through that to somebody who does.
protobuf.Reader.discardUnknown = true;

export { IM };
