import { t } from '../texts/index.js';
import { say } from './ask.js';
import { Button, Dialog } from './parts.js';

/** A secret that is shown this once and kept nowhere. */
export function OnceDialog({ title, secret, onClose }: { title: string; secret: string; onClose(): void }) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="stack">
        <p>{t('users.handOverText')}</p>
        <p>
          <code>{secret}</code>
        </p>
        <div class="actions end">
          <Button onClick={() => void navigator.clipboard.writeText(secret).then(() => say(t('copied')))}>
            {t('copy')}
          </Button>
          <Button kind="main" onClick={onClose}>
            {t('close')}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
