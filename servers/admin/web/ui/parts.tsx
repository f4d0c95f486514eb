import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { ApiError } from '../client.js';
import { has, type Key, t } from '../texts/index.js';
import { Icon, type IconName } from './icons.js';

/** The console's own controls. Everything that people have written goes through <Said>. */

interface ButtonProps extends Omit<JSX.IntrinsicElements['button'], 'icon' | 'class'> {
  readonly kind?: 'main' | 'danger' | 'danger main' | 'bare';
  readonly small?: boolean;
  readonly busy?: boolean;
  readonly icon?: IconName;
}

export function Button({ kind, small, busy, icon, children, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      class={`button ${kind ?? ''} ${small ? 'small' : ''}`}
      disabled={rest.disabled || busy}
      aria-busy={busy}
    >
      {busy ? <span class="busy" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A button that is only a sign; its name is read out and shown on hovering. */
export function SignButton({ label, icon, ...rest }: ButtonProps & { label: string; icon: IconName }) {
  return (
    <Button kind="bare" small {...rest} aria-label={label} title={label}>
      <Icon name={icon} />
    </Button>
  );
}

interface FieldProps {
  readonly label: string;
  readonly hint?: string | undefined;
  readonly wrong?: string | undefined;
  readonly children: (props: {
    id: string;
    'aria-invalid': boolean;
    'aria-describedby': string | undefined;
  }) => ComponentChildren;
}

export function Field({ label, hint, wrong, children }: FieldProps) {
  const id = useId();
  const about = wrong !== undefined || hint !== undefined ? `${id}-about` : undefined;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, 'aria-invalid': wrong !== undefined, 'aria-describedby': about })}
      {about !== undefined && (
        <span id={about} class={wrong === undefined ? 'hint' : 'wrong'}>
          {wrong ?? hint}
        </span>
      )}
    </div>
  );
}

interface TextFieldProps {
  readonly type?: 'text' | 'password' | 'email' | 'tel' | 'url' | 'date' | 'number';
  readonly autoComplete?: string;
  readonly inputMode?: 'numeric';
  readonly maxLength?: number;
  readonly required?: boolean;
  readonly disabled?: boolean;
  readonly autoFocus?: boolean;
  readonly label: string;
  readonly hint?: string | undefined;
  readonly wrong?: string | undefined;
  readonly value: string;
  onValue(value: string): void;
}

export function TextField({ label, hint, wrong, value, onValue, type = 'text', ...rest }: TextFieldProps) {
  return (
    <Field label={label} hint={hint} wrong={wrong}>
      {(props) => (
        <input
          class="input"
          type={type as 'text'}
          {...rest}
          {...props}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

interface Choice {
  readonly value: string;
  readonly label: string;
}

interface SelectProps {
  readonly label: string;
  /** The label is only read out. */
  readonly bare?: boolean;
  readonly hint?: string | undefined;
  readonly wrong?: string | undefined;
  readonly value: string;
  readonly choices: readonly Choice[];
  readonly disabled?: boolean;
  onValue(value: string): void;
}

export function Select({ label, bare, hint, wrong, value, choices, disabled, onValue }: SelectProps) {
  const control = (props: object) => (
    <select
      class="input"
      {...props}
      disabled={disabled}
      value={value}
      onChange={(event) => onValue(event.currentTarget.value)}
    >
      {choices.map((choice) => (
        <option key={choice.value} value={choice.value}>
          {choice.label}
        </option>
      ))}
    </select>
  );
  if (bare) return control({ 'aria-label': label });
  return (
    <Field label={label} hint={hint} wrong={wrong}>
      {control}
    </Field>
  );
}

export function Check({
  label,
  checked,
  onChecked,
}: {
  label: string;
  checked: boolean;
  onChecked(on: boolean): void;
}) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => onChecked(event.currentTarget.checked)} />
      {label}
    </label>
  );
}

export function Search({ label, value, onValue }: { label: string; value: string; onValue(value: string): void }) {
  return (
    <div class="search">
      <Icon name="search" />
      <input
        class="input"
        type="search"
        aria-label={label}
        placeholder={label}
        value={value}
        maxLength={128}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
    </div>
  );
}

const SHOWN_MAX = 500;

/** Words that somebody else has written: never markup, with their own direction, cut when very long. */
export function Said({ text, whole }: { text: string; whole?: boolean }) {
  const shown = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
  return (
    <bdi class={whole ? 'said whole' : 'said'} title={whole ? undefined : shown}>
      {shown}
    </bdi>
  );
}

export function Face({ name }: { name: string }) {
  const [first = '?'] = name.trim();
  return (
    <span class="face" aria-hidden="true">
      {first.toUpperCase()}
    </span>
  );
}

export function Mark({ kind, children }: { kind?: 'good' | 'bad' | 'warn' | 'accent'; children: ComponentChildren }) {
  return <span class={`mark ${kind ?? ''}`}>{children}</span>;
}

export function Nothing({
  text,
  icon = 'empty',
  children,
}: {
  text: string;
  icon?: IconName;
  children?: ComponentChildren;
}) {
  return (
    <div class="nothing">
      <Icon name={icon} />
      <p>{text}</p>
      {children}
    </div>
  );
}

export function Loading() {
  return (
    <div class="nothing" role="status">
      <span class="busy" />
      <span class="unseen">{t('loading')}</span>
    </div>
  );
}

/** What went wrong, in words. */
export function wordsOf(error: ApiError): string {
  const { code, detail } = error.problem;
  const key = `problem.${code}`;
  if (code === 'BAD_REQUEST' && detail !== undefined) return t('problem.BAD_REQUEST', { detail });
  return has(key) ? t(key as Key) : t('problem.INTERNAL');
}

export function Failure({ error, retry }: { error: ApiError; retry?: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <Icon name="warn" />
      <div>{wordsOf(error)}</div>
      {retry && (
        <Button small onClick={retry} icon="reload">
          {t('retry')}
        </Button>
      )}
    </div>
  );
}

export function Notice({ kind, children }: { kind?: 'bad' | 'warn' | undefined; children: ComponentChildren }) {
  return (
    <div class={`notice ${kind ?? ''}`} role={kind === undefined ? 'status' : 'alert'}>
      <Icon name={kind === undefined ? 'good' : 'warn'} />
      <div>{children}</div>
    </div>
  );
}

interface DialogProps {
  readonly title: ComponentChildren;
  readonly wide?: boolean;
  /** Absent: it cannot be closed by hand. */
  readonly onClose?: () => void;
  readonly children: ComponentChildren;
}

/** In front of everything, also of other dialogs; keyboard and focus are the browser's doing. */
export function Dialog({ title, wide, onClose, children }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    ref.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog
      ref={ref}
      class={`box ${wide ? 'wide' : ''}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
    >
      <header>
        <h2 id={id}>{title}</h2>
        {onClose && <SignButton icon="close" label={t('close')} onClick={onClose} />}
      </header>
      <div class="inside">{children}</div>
    </dialog>
  );
}

export function Page({
  title,
  about,
  actions,
  children,
}: {
  title: string;
  about?: string;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · TeamTalk`;
  }, [title]);
  return (
    <>
      <header>
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {about !== undefined && <p>{about}</p>}
        </div>
        {actions !== undefined && <div class="actions">{actions}</div>}
      </header>
      {children}
    </>
  );
}

/** A cell with its heading, which on a phone stands before it. */
export function Cell({
  label,
  class: name,
  children,
}: {
  label: string;
  class?: string;
  children?: ComponentChildren;
}) {
  return (
    <td data-label={label} class={name}>
      {children}
    </td>
  );
}

/** Forwards and backwards through pages whose places only the server knows. */
export function Pager({ back, next }: { back: (() => void) | undefined; next: (() => void) | undefined }) {
  if (back === undefined && next === undefined) return null;
  return (
    <nav class="actions end" aria-label={t('pages')}>
      <Button small icon="back" disabled={back === undefined} onClick={back}>
        {t('back')}
      </Button>
      <Button small disabled={next === undefined} onClick={next}>
        {t('next')}
        <Icon name="next" />
      </Button>
    </nav>
  );
}
