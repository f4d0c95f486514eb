import {
  addresses,
  bytes,
  commonSettings,
  count,
  type Definitions,
  milliseconds,
  port,
  type SettingsOf,
  text,
} from '../../common/settings.js';

export const fileSettings = {
  ...commonSettings,
  storePort: port(8700, 'HTTP port where clients upload and fetch pictures and files'),
  dbProxies: addresses('127.0.0.1:10600', 'db-proxies'),
  askTimeoutMs: milliseconds(10_000, 'how long another server may take to answer'),
  asksMax: count(10_000, 'questions to db-proxies under way at most', 1),
  freeMin: bytes(64 * 1024 * 1024, 'what stays free on the disk of the folder; a fuller one takes no files', 0),
  connectionsMax: count(2_000, 'HTTP connections at most; further ones are closed at once', 1),
  formSizeMax: bytes(10 * 1024 * 1024, 'a file that a stock client uploads in a form, at most'),
  pictureSizeMax: bytes(20 * 1024 * 1024, 'a picture that smaller ones are made of, at most'),
  folder: text('data/files', 'folder of the sealed files'),
} satisfies Definitions;

export type FileSettings = SettingsOf<typeof fileSettings>;
