import { destination, type Logger as PinoLogger, pino } from 'pino';

/**
 * One JSON line per event on stdout. Lines are for connections, decisions and errors: what happens per frame is
 * counted (metrics.ts), as a line would cost more than the frame.
 */
export type Logger = PinoLogger;

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export function openLog(server: string, level: string): Logger {
  return pino(
    {
      level,
      base: { server },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ['password', '*.password', 'token', '*.token', 'secret', '*.secret'], censor: '[secret]' },
      serializers: { error: pino.stdSerializers.err },
    },
    destination({ fd: 1, sync: true }), // the last words of a dying process are the ones that count
  );
}
