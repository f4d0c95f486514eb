import { useState } from 'preact/hooks';
import type { LimitInfo } from '../../api.js';
import { api } from '../client.js';
import { bytes, duration, type Key, number, t } from '../texts/index.js';
import { say } from '../ui/ask.js';
import { Button, Dialog, Failure, Select, TextField } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB'] as const;

/** What a limit is set to, or what the servers go by. */
export function limitWords({ unit, set, inForce, isRate }: LimitInfo): string {
  const sizes = inForce.sizes.length > 0 ? inForce.sizes : set === undefined ? [] : [set.size];
  const amount = (size: number) => (unit === 'bytes' ? bytes(size) : number(size));
  const said = sizes.map((size) => (size === 0 ? t('limits.any') : amount(size))).join(' – ');
  const refills = inForce.refillsMs.length > 0 ? inForce.refillsMs : set?.refillMs === undefined ? [] : [set.refillMs];
  if (said === '') return '–';
  return isRate && refills.length > 0 && sizes[0] !== 0 ? `${said} / ${refills.map(duration).join(' – ')}` : said;
}

export function LimitDialog({ limit, done, onClose }: { limit: LimitInfo; done(): Promise<void>; onClose(): void }) {
  const { name, version, unit, min, max, isRate, fixedRefill, set, inForce } = limit;
  const now = set?.size ?? inForce.sizes[0] ?? min;
  const power = unit === 'bytes' ? unitOf(now) : 0;
  const [size, setSize] = useState(String(now / 1024 ** power));
  const [sizeUnit, setSizeUnit] = useState<string>(UNITS[power]!);
  const [refill, setRefill] = useState(String((set?.refillMs ?? inForce.refillsMs[0] ?? 60_000) / 1000));
  const action = useAction();
  const amount = Math.round(Number(size) * 1024 ** UNITS.indexOf(sizeUnit as (typeof UNITS)[number]));
  const isSize = size.trim() !== '' && amount >= min && amount <= max;
  const refillMs = Math.round(Number(refill) * 1000);
  const isRefill = !isRate || fixedRefill || (refillMs >= 100 && refillMs <= 86_400_000);
  const range = { min: words(min, unit), max: words(max, unit) };
  const save = () =>
    action.run(async () => {
      const value = { size: amount, ...(isRate && !fixedRefill ? { refillMs } : {}) };
      await api('PUT', '/api/settings', { name: `limit.${name}`, version, value });
      say(t('limits.saved'));
      await done(); // what is edited next has the new version
    });
  const reset = () =>
    action.run(async () => {
      await api('POST', '/api/settings/reset', { name: `limit.${name}`, version });
      say(t('limits.saved'));
      await done(); // what is edited next has the new version
    });
  return (
    <Dialog title={t(`limit.${name}` as Key)} onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          if (isSize && isRefill) void save();
        }}
      >
        {action.error && <Failure error={action.error} />}
        <p class="soft">{t(`limits.at.${limit.at}.long`)}</p>
        <div class="two">
          <TextField
            label={isRate ? t('limits.size') : t('limits.most')}
            hint={t('limits.range', range)}
            wrong={isSize ? undefined : t('limits.range', range)}
            value={size}
            onValue={setSize}
            inputMode="numeric"
            maxLength={16}
            required
            autoComplete="off"
          />
          {unit === 'bytes' && (
            <Select
              label={t('limits.unit')}
              value={sizeUnit}
              choices={UNITS.map((value) => ({ value, label: value }))}
              onValue={setSizeUnit}
            />
          )}
          {isRate && !fixedRefill && (
            <TextField
              label={t('limits.refill')}
              hint={t('limits.refillHint')}
              wrong={isRefill ? undefined : t('limits.wrongRefill')}
              value={refill}
              onValue={setRefill}
              maxLength={8}
              required
              autoComplete="off"
            />
          )}
        </div>
        <div class="actions end">
          {version > 0 && (
            <Button busy={action.busy} onClick={() => void reset()}>
              {t('limits.reset')}
            </Button>
          )}
          <Button onClick={onClose}>{t('cancel')}</Button>
          <Button kind="main" type="submit" busy={action.busy} disabled={!isSize || !isRefill}>
            {t('save')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** The largest unit that leaves a whole number; of nothing the largest, as whoever sets it thinks in that. */
function unitOf(size: number): number {
  let power = 0;
  while (power < UNITS.length - 1 && size % 1024 ** (power + 1) === 0) power++;
  return power;
}

function words(size: number, unit: 'count' | 'bytes'): string {
  if (size === Number.MAX_SAFE_INTEGER) return '∞';
  return unit === 'bytes' ? bytes(size) : number(size);
}
