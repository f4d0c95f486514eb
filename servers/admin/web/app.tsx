import { useEffect } from 'preact/hooks';
import { readSession, session } from './client.js';
import { followLink } from './location.js';
import { Door, ExpiredDialog, FirstPassword } from './login.js';
import { pages } from './pages/index.js';
import { Shell } from './shell.js';
import { Questions } from './ui/ask.js';
import { Failure, Loading } from './ui/parts.js';
import { useAction } from './ui/use-action.js';

export function App() {
  const first = useAction();
  useEffect(() => {
    void first.run(readSession);
    document.addEventListener('click', followLink);
  }, []);
  const now = session.value;
  if (first.error && now === undefined)
    return (
      <main class="door">
        <Failure error={first.error} retry={() => void first.run(readSession)} />
      </main>
    );
  if (now === undefined) return <Loading />;
  if (now === null) return <Door />;
  return (
    <>
      {now.admin.mustChange ? <FirstPassword /> : <Shell pages={pages} />}
      <Questions />
      <ExpiredDialog />
    </>
  );
}
