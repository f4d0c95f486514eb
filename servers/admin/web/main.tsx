import './style/base.css';
import './style/parts.css';
import './style/shell.css';
import { render } from 'preact';
import { App } from './app.js';
import { applyPreferences } from './preferences.js';

applyPreferences();
render(<App />, document.getElementById('app')!);
