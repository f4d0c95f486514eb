import type { Certificate } from '../../common/net/certificate.js';
import { openClientDoor } from '../../common/net/client-door.js';
import { Connection, clientConnectionLimits } from '../../common/net/connection.js';
import type { Listening } from '../../common/net/listener.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { login } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import type { Choice, MsgServers } from './msg-servers.js';
import type { LoginSettings } from './settings.js';

const { ResultType } = IM.BaseDefine;

/** How long a client may take to ask and to go. */
export const ASK_MS_MAX = 15_000;

/** The same question over TCP: one frame asked, one answered, closed. */
export function openClients(
  settings: LoginSettings,
  certificate: Certificate | undefined,
  msgServers: MsgServers,
): Promise<Listening> {
  return openClientDoor({
    port: settings.clientPort,
    host: settings.host,
    settings,
    certificate,
    beginMs: ASK_MS_MAX,
    stayInDoor: true,
    accept(transport) {
      const connection = new Connection(transport, clientConnectionLimits);
      connection.own({
        frame(frame) {
          if (frame.command !== login.msgServer.id) return;
          connection.send(encodeFrame(login.msgServer.reply, frame.seq, answerOf(msgServers.choose())));
          connection.close('logout');
        },
        closed: () => undefined,
      });
    },
  });
}

function answerOf(choice: Choice): IM.Login.IMMsgServRsp.$Properties {
  if (choice.found)
    return { resultCode: ResultType.REFUSE_REASON_NONE, priorIp: choice.ip1, backipIp: choice.ip2, port: choice.port };
  return {
    resultCode:
      choice.why === 'none' ? ResultType.REFUSE_REASON_NO_MSG_SERVER : ResultType.REFUSE_REASON_MSG_SERVER_FULL,
  };
}
