import { useState } from 'preact/hooks';
import type { CodeMade } from '../../api.js';
import { t } from '../texts/index.js';
import { Button, Notice, Said } from '../ui/parts.js';
import { useAction } from '../ui/use-action.js';
import type { Ask } from './page.js';
import { dropPending, takePending } from './pending.js';

const pendingAtFirst = takePending();

/** A client has opened this page to be logged in. Nobody is let in unasked: any program here can open a page. */
export function PendingClient({ ask }: { ask: Ask }) {
  const [pending, setPending] = useState(pendingAtFirst);
  const [made, setMade] = useState<CodeMade | undefined>(undefined);
  const action = useAction();
  const done = () => {
    dropPending();
    setPending(undefined);
  };
  const letIn = () =>
    action.run(async () => {
      const { device: _device, ...wanted } = pending!;
      const code = await ask<CodeMade>('POST', '/api/me/code', wanted);
      done();
      setMade(code);
      if (code.location !== undefined) location.assign(code.location);
    });
  if (made !== undefined)
    return (
      <section class="stack" aria-live="polite">
        {made.location !== undefined && <Notice>{t('me.sent')}</Notice>}
        <h2>{t('me.code')}</h2>
        <p>
          <code class="sign-in-code">{made.code}</code>
        </p>
        <p class="soft">{t('me.codeText')}</p>
      </section>
    );
  if (pending === undefined) return null;
  return (
    <section class="stack">
      <h2>
        {pending.device === undefined ? (
          t('me.client')
        ) : (
          <Said text={t('me.clientNamed', { device: pending.device })} />
        )}
      </h2>
      <p>{t('me.clientText')}</p>
      {action.error && (
        <Notice kind="bad">
          {t('me.badClient')} {t('me.badClientText')}
        </Notice>
      )}
      <div class="actions">
        <Button kind="main" busy={action.busy} onClick={() => void letIn()}>
          {t('me.letIn')}
        </Button>
        <Button onClick={done}>{t('me.notMine')}</Button>
      </div>
    </section>
  );
}
