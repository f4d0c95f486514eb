import assert from 'node:assert/strict';

/**
 * Every bound on what others may send, in one place, unit in the name. What an operator may want to change is a
 * setting of the server concerned and only has its default and its ceiling here.
 */

/** A whole frame on a client connection. Clients legitimately stay below 400 KiB. */
export const FRAME_SIZE_MAX = 512 * 1024;
/** A whole frame on a server link: a full directory answer for clients without a frame limit travels in one. */
export const LINK_FRAME_SIZE_MAX = 64 * 1024 * 1024;
/** What we send to an Android client in one frame; it breaks the connection above 400 KiB. */
export const ANDROID_FRAME_SIZE_MAX = 380 * 1024;
/** A whole frame of who has not logged in: a log-in with all that may be in it. */
export const STRANGER_FRAME_SIZE_MAX = 16 * 1024;
/** The request that begins a WebSocket, and pieces that one of its messages may come in. */
export const WEBSOCKET_REQUEST_SIZE_MAX = 8 * 1024;
export const WEBSOCKET_FRAGMENTS_MAX = 256;
/** One message's payload: encrypted text or voice. */
export const MESSAGE_SIZE_MAX = 128 * 1024;
/** What clients tell each other in passing: some words of JSON. */
export const P2P_SIZE_MAX = 16 * 1024;

/** Names, passwords (hex of an MD5 is 32 characters), versions: longest accepted, in characters. */
export const USER_NAME_LENGTH_MAX = 64;
export const PASSWORD_LENGTH_MAX = 128;
export const CLIENT_VERSION_LENGTH_MAX = 64;

/** A device that logs in by tokens: its own id and name, in characters, and how many a user may have. */
export const DEVICE_ID_LENGTH_MAX = 64;
export const DEVICE_NAME_LENGTH_MAX = 64;
export const DEVICES_MAX = 50;
/** Of the company's directory, as it is typed; and what a user makes for clients that can send nothing else. */
export const DIRECTORY_PASSWORD_LENGTH_MAX = 256;
export const APP_PASSWORDS_MAX = 20;
export const APP_PASSWORD_NAME_LENGTH_MAX = 64;

/** Texts that are kept: longest accepted, in bytes. */
export const DEVICE_TOKEN_SIZE_MAX = 2048;
export const SIGNATURE_SIZE_MAX = 128;
export const AVATAR_URL_SIZE_MAX = 1024;
export const GROUP_NAME_SIZE_MAX = 256;

export const DEPARTMENT_NAME_LENGTH_MAX = 64;
/** Nick, domain, phone, e-mail of a user, in characters. */
export const PROFILE_FIELD_LENGTH_MAX = 128;
export const SETTING_SIZE_MAX = 256 * 1024;

/** Accounts of the console, in characters. */
export const ADMIN_NAME_LENGTH_MAX = 64;
export const ADMIN_PASSWORD_LENGTH_MIN = 12;
export const ADMIN_PASSWORD_LENGTH_MAX = 256;

/** Announcements that are being sent at once; the next one is BUSY. */
export const ANNOUNCEMENTS_OPEN_MAX = 50;
export const ANNOUNCEMENTS_LISTED_MAX = 100;
/** Of those who could not be told. */
export const ANNOUNCE_FAILURES_SHOWN_MAX = 100;

/** Of an export: people or groups named, messages of one page, characters of its reason and its case number. */
export const EXPORT_NAMED_MAX = 100;
export const EXPORT_PAGE_MAX = 100;
export const EXPORT_REASON_LENGTH_MAX = 1_000;
export const EXPORT_CASE_LENGTH_MAX = 128;
export const EXPORTS_LISTED_MAX = 200;

/** Lists in requests and answers, in entries. */
export const HISTORY_PAGE_MAX = 200;
export const MESSAGES_BY_ID_MAX = 100;
/** Messages that a msg server asks for at once when it may have missed them; together they are one frame of a link. */
export const MISSED_MESSAGES_MAX = 250;
/** Ids of messages in one request: the largest ones are looked up. Many of them may not exist. */
export const MESSAGE_IDS_ASKED_MAX = 1000;
export const RECENT_SESSIONS_MAX = 100;
export const USERS_ASKED_MAX = 1000;
/** Presence is two numbers a user, so that a whole company may be asked for at once. */
export const USERS_STATUS_ASKED_MAX = 20_000;
export const GROUPS_ASKED_MAX = 1000;
export const GROUP_MEMBERS_MAX = 2000;
/** Rows of a page for the administration, and rows of people in one question when many are brought in. */
export const ADMIN_PAGE_MAX = 1000;
export const IMPORT_ROWS_MAX = 500;
/** Departments in departments. */
export const DEPARTMENT_DEPTH_MAX = 32;

/** What an uploader may call his file, in characters; longer names are shortened. */
export const FILE_NAME_LENGTH_MAX = 255;
/** Files of the store that a client gets addresses of with one question. */
export const FILE_PATHS_MAX = 100;
/** Client addresses that a file server remembers of one msg server, and that are told in one frame. */
export const SESSION_ADDRESSES_MAX = 250_000;
export const SESSION_ADDRESSES_TOLD_MAX = 10_000;
/** Of a picture that smaller ones are made of: decoded it takes four bytes for each. */
export const PICTURE_PIXELS_MAX = 50_000_000;
/** Objects that are cleared away with one question. */
export const SWEEP_OBJECTS_MAX = 1000;
/** Of the HTTP interface. */
export const API_KEY_NAME_LENGTH_MAX = 64;
export const API_BODY_SIZE_MAX = 1024 * 1024;
export const IMPORT_FILE_SIZE_MAX = 32 * 1024 * 1024;
export const IMPORT_FILE_ROWS_MAX = 50_000;
export const WEBHOOK_URL_LENGTH_MAX = 2048;
export const WEBHOOKS_MAX = 100;
export const EVENTS_PAGE_MAX = 500;
export const OUTBOX_CLAIM_MAX = 1000;
export const IDEMPOTENCY_KEY_LENGTH_MAX = 255;

/** Files from user to user. A name may come with its whole path; what waits for one user is listed up to this count. */
export const FILE_NAME_SIZE_MAX = 1024;
export const OFFLINE_FILES_MAX = 200;
/** Stock clients ask for so much of a file at a time, and take no more. */
export const FILE_BLOCK_SIZE = 32 * 1024;
/** A whole frame on a client's connection to the file server: a block, or one twice as long to be refused by name. */
export const FILE_FRAME_SIZE_MAX = 2 * FILE_BLOCK_SIZE + 1024;
/** The wire has 32 bits for it. */
export const FILE_SIZE_LIMIT = 2 ** 32 - 1;

/** Fixed slices of conversations; a bucket lives whole on one shard. Never changes in the life of a cluster. */
export const BUCKETS = 256;

/** iOS clients number unsent messages from here, so ids of a conversation should stay below it. */
export const CLIENT_LOCAL_MSG_ID_MIN = 1_000_000;

assert(FRAME_SIZE_MAX > MESSAGE_SIZE_MAX + 1024, 'a message with its fields fits into a client frame');
assert(MISSED_MESSAGES_MAX * (MESSAGE_SIZE_MAX + 1024) < LINK_FRAME_SIZE_MAX, 'what was missed fits through a link');
assert(LINK_FRAME_SIZE_MAX > FRAME_SIZE_MAX, 'whatever a client may send fits through a link');
assert(OFFLINE_FILES_MAX * (FILE_NAME_SIZE_MAX + 100) < ANDROID_FRAME_SIZE_MAX, 'a list of files is one frame');
assert(ANDROID_FRAME_SIZE_MAX < 400 * 1024, 'below what Android accepts');
