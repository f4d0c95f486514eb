import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { t } from '../texts/index.js';
import { Button, Dialog, TextField } from './parts.js';

/** Questions and words that come up over whatever page is open. */

interface Question {
  readonly title: string;
  readonly text: string;
  readonly yes: string;
  /** To be typed, for what cannot be undone. */
  readonly word?: string | undefined;
  answer(yes: boolean): void;
}

const question = signal<Question | undefined>(undefined);
const toasts = signal<readonly { readonly id: number; readonly text: string }[]>([]);
const TOAST_MS = 5_000;
let lastId = 0;

/** Whether somebody really means it. */
export function sure(asked: { title: string; text: string; yes: string; word?: string | undefined }): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = {
      ...asked,
      answer(yes) {
        question.value = undefined;
        resolve(yes);
      },
    };
  });
}

export function say(text: string): void {
  const id = ++lastId;
  toasts.value = [...toasts.value, { id, text }];
  setTimeout(() => {
    toasts.value = toasts.value.filter((toast) => toast.id !== id);
  }, TOAST_MS);
}

export function Questions() {
  return (
    <>
      {question.value && <QuestionDialog key={question.value} asked={question.value} />}
      <div class="toasts" role="status" aria-live="polite">
        {toasts.value.map(({ id, text }) => (
          <div class="toast" key={id}>
            {text}
          </div>
        ))}
      </div>
    </>
  );
}

function QuestionDialog({ asked }: { asked: Question }) {
  const [typed, setTyped] = useState('');
  return (
    <Dialog title={asked.title} onClose={() => asked.answer(false)}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          asked.answer(true);
        }}
      >
        <p>{asked.text}</p>
        {asked.word !== undefined && (
          <TextField
            label={t('typeToConfirm', { word: asked.word })}
            value={typed}
            onValue={setTyped}
            autoComplete="off"
          />
        )}
        <div class="actions end">
          <Button onClick={() => asked.answer(false)}>{t('cancel')}</Button>
          <Button kind="danger main" type="submit" disabled={asked.word !== undefined && typed !== asked.word}>
            {asked.yes}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
