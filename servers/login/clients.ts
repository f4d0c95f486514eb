import type { Socket } from 'node:net';
import { Connection, clientConnectionLimits } from '../../common/net/connection.js';
import { type Listening, listen } from '../../common/net/listener.js';
import { encodeFrame } from '../../common/pdu/command.js';
import { login } from '../../common/pdu/commands.js';
import { IM } from '../../common/pdu/pb.js';
import type { Choice, MsgServers } from './msg-servers.js';

const { ResultType } = IM.BaseDefine;

/** How long a client may take to ask. */
const ASK_MS_MAX = 15_000;

/** The same question over TCP: one frame asked, one answered, closed. */
export function openClients(host: string, port: number, msgServers: MsgServers): Promise<Listening> {
  return listen(port, host, (socket: Socket) => {
    const connection = new Connection(socket, clientConnectionLimits);
    const late = setTimeout(() => connection.close('login-timeout'), ASK_MS_MAX);
    connection.own({
      frame(frame) {
        if (frame.command !== login.msgServer.id) return;
        connection.send(encodeFrame(login.msgServer.reply, frame.seq, answerOf(msgServers.choose())));
        connection.close('logout');
      },
      closed: () => clearTimeout(late),
    });
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
