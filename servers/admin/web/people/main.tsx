import '../style/base.css';
import '../style/parts.css';
import '../style/shell.css';
import { render } from 'preact';
import { applyPreferences } from '../preferences.js';
import { SignInPage } from './page.js';

applyPreferences();
render(<SignInPage />, document.getElementById('app')!);
