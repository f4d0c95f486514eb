import { t } from '../texts/index.js';
import { say } from './ask.js';
import { Button, Dialog } from './parts.js';

interface OnceProps {
  readonly title: string;
  /** Default: that it is to be handed over to somebody. */
  readonly text?: string;
  readonly secret: string;
  onClose(): void;
}

/** A secret that is shown this once and kept nowhere. */
export function OnceDialog({ title, text = t('users.handOverText'), secret, onClose }: OnceProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="stack">
        <p>{text}</p>
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
