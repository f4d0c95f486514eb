import type { Metrics } from '../../common/metrics.js';

/** What the msg server counts instead of logging it. */
export type MsgCounters = ReturnType<typeof msgCounters>;

export function msgCounters(metrics: Metrics) {
  return {
    framesIn: metrics.counter('client_frames_total', 'Frames that clients sent'),
    dropped: metrics.counter('client_frames_dropped_total', 'Frames that were not acted on', ['why']),
    opened: metrics.counter('client_connections_opened_total', 'Client connections that came in', ['transport']),
    closed: metrics.counter('client_connections_closed_total', 'Client connections ended', ['why']),
    logins: metrics.counter('logins_total', 'Answers to log-ins', ['result']),
    acked: metrics.counter('messages_acked_total', 'Messages acknowledged to their senders'),
    unacked: metrics.counter('messages_unacked_total', 'Messages that got no acknowledgement', ['why']),
    delayed: metrics.counter('messages_delayed_total', 'Messages held back because their sender was too fast'),
    delivered: metrics.counter('messages_delivered_total', 'Messages written to sessions here'),
    received: metrics.counter('messages_received_total', 'Receipts from the devices of receivers'),
    fileRequests: metrics.counter('file_requests_total', 'Wishes to send a file', ['result']),
    ackTime: metrics.timing('message_ack', 'From a message of a client to its acknowledgement'),
  };
}
