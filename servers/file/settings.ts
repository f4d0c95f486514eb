import { FILE_SIZE_LIMIT } from '../../common/limits.js';
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
  clientPort: port(8600, 'where clients send and fetch files of users'),
  port: port(8601, 'where msg servers connect'),
  advertisedIp: text('127.0.0.1', 'address that clients are given for files of users'),
  advertisedPort: port(0, 'port that clients are given with it; 0: clientPort'),
  clientsMax: count(10_000, 'client connections at most; further ones are closed at once', 1),
  loginTimeoutMs: milliseconds(15_000, 'a connection that has not named its task by then is closed'),
  silenceMs: milliseconds(
    120_000,
    'a client whose transfer does not move and that was not heard for so long is closed',
  ),
  peerWaitMs: milliseconds(60_000, 'how long one end of an online transfer waits for the other one to come back'),
  transfersPerUserMax: count(256, 'connections of one user at most', 1),
  openTasksPerUserMax: count(1_000, 'files of one sender that are on their way or wait for their receivers', 1),
  transferSizeMax: bytes(FILE_SIZE_LIMIT, 'largest file from user to user'),
  taskMs: milliseconds(24 * 60 * 60 * 1000, 'how long a file that is not complete can be taken up again'),
  keptDays: count(30, 'days that a stored file waits for its receiver', 1, 3650),
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
