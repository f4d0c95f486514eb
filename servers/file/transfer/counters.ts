import type { Metrics } from '../../../common/metrics.js';

/** What the transfers count instead of logging it. */
export type TransferCounters = ReturnType<typeof transferCounters>;

export function transferCounters(metrics: Metrics) {
  return {
    bytes: metrics.counter('file_transfer_bytes_total', 'Content that was carried', ['way']),
    ended: metrics.counter('file_transfers_ended_total', 'Transfers by how they ended', ['way', 'how']),
    refused: metrics.counter('file_logins_refused_total', 'Connections that were not let in', ['why']),
    opened: metrics.counter('file_connections_opened_total', 'Connections of clients that came in', ['transport']),
    closed: metrics.counter('file_connections_closed_total', 'Connections of clients ended', ['why']),
    dropped: metrics.counter('file_frames_dropped_total', 'Frames of clients that could not be read'),
    tasks: metrics.counter('file_tasks_total', 'Tasks that were asked for', ['result']),
  };
}
