// Made from pb/*.proto by tools/gen-pb.ts. To change it, change those and run: npm run pb
import * as $protobuf from "protobufjs/minimal.js";

export namespace IM {

    namespace Api {

        class IMOutboxClaimReq {
            constructor(properties?: IM.Api.IMOutboxClaimReq.$Properties);
            consumer: string;
            limit: number;
            leaseMs: number;
            withMessages?: boolean | undefined;
            static encode(message: IM.Api.IMOutboxClaimReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMOutboxClaimReq;
        }

        namespace IMOutboxClaimReq {
            interface $Properties {
                consumer: string;
                limit: number;
                leaseMs: number;
                withMessages?: boolean | undefined;
            }
        }

        class IMOutboxClaimRsp {
            constructor(properties?: IM.Api.IMOutboxClaimRsp.$Properties);
            effectList: IM.Api.OutboxEffect[];
            static encode(message: IM.Api.IMOutboxClaimRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMOutboxClaimRsp;
        }

        namespace IMOutboxClaimRsp {
            interface $Properties {
                effectList?: readonly IM.Api.OutboxEffect.$Properties[] | undefined;
            }
        }

        class OutboxEffect {
            constructor(properties?: IM.Api.OutboxEffect.$Properties);
            conversationId: string;
            msgId: number;
            message?: IM.Cluster.StoredMessage | undefined;
            static encode(message: IM.Api.OutboxEffect.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.OutboxEffect;
        }

        namespace OutboxEffect {
            interface $Properties {
                conversationId: string;
                msgId: number;
                message?: IM.Cluster.StoredMessage.$Properties | undefined;
            }
        }

        class IMOutboxDoneReq {
            constructor(properties?: IM.Api.IMOutboxDoneReq.$Properties);
            consumer: string;
            effectList: IM.Api.OutboxEffect[];
            static encode(message: IM.Api.IMOutboxDoneReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMOutboxDoneReq;
        }

        namespace IMOutboxDoneReq {
            interface $Properties {
                consumer: string;
                effectList?: readonly IM.Api.OutboxEffect.$Properties[] | undefined;
            }
        }

        class IMOutboxDoneRsp {
            constructor(properties?: IM.Api.IMOutboxDoneRsp.$Properties);
            static encode(message: IM.Api.IMOutboxDoneRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMOutboxDoneRsp;
        }

        namespace IMOutboxDoneRsp {
            interface $Properties {
            }
        }

        class ApiKey {
            constructor(properties?: IM.Api.ApiKey.$Properties);
            id: string;
            name: string;
            scopes: string[];
            userId?: number | undefined;
            createdMs: number;
            expiresMs?: number | undefined;
            revokedMs?: number | undefined;
            lastUsedMs?: number | undefined;
            static encode(message: IM.Api.ApiKey.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.ApiKey;
        }

        namespace ApiKey {
            interface $Properties {
                id: string;
                name: string;
                scopes?: readonly string[] | undefined;
                userId?: number | undefined;
                createdMs: number;
                expiresMs?: number | undefined;
                revokedMs?: number | undefined;
                lastUsedMs?: number | undefined;
            }
        }

        class IMApiKeyCheckReq {
            constructor(properties?: IM.Api.IMApiKeyCheckReq.$Properties);
            id: string;
            secretHash: Uint8Array;
            static encode(message: IM.Api.IMApiKeyCheckReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMApiKeyCheckReq;
        }

        namespace IMApiKeyCheckReq {
            interface $Properties {
                id: string;
                secretHash: Uint8Array;
            }
        }

        class IMApiKeyCheckRsp {
            constructor(properties?: IM.Api.IMApiKeyCheckRsp.$Properties);
            key?: IM.Api.ApiKey | undefined;
            static encode(message: IM.Api.IMApiKeyCheckRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMApiKeyCheckRsp;
        }

        namespace IMApiKeyCheckRsp {
            interface $Properties {
                key?: IM.Api.ApiKey.$Properties | undefined;
            }
        }

        class IMApiKeyCreateReq {
            constructor(properties?: IM.Api.IMApiKeyCreateReq.$Properties);
            name: string;
            scopes: string[];
            userId?: number | undefined;
            expiresMs?: number | undefined;
            actor: string;
            static encode(message: IM.Api.IMApiKeyCreateReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMApiKeyCreateReq;
        }

        namespace IMApiKeyCreateReq {
            interface $Properties {
                name: string;
                scopes?: readonly string[] | undefined;
                userId?: number | undefined;
                expiresMs?: number | undefined;
                actor: string;
            }
        }

        class IMApiKeyCreateRsp {
            constructor(properties?: IM.Api.IMApiKeyCreateRsp.$Properties);
            key: IM.Api.ApiKey;
            token: string;
            static encode(message: IM.Api.IMApiKeyCreateRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMApiKeyCreateRsp;
        }

        namespace IMApiKeyCreateRsp {
            interface $Properties {
                key: IM.Api.ApiKey.$Properties;
                token: string;
            }
        }

        class IMApiKeyListReq {
            constructor(properties?: IM.Api.IMApiKeyListReq.$Properties);
            static encode(message: IM.Api.IMApiKeyListReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMApiKeyListReq;
        }

        namespace IMApiKeyListReq {
            interface $Properties {
            }
        }

        class IMApiKeyListRsp {
            constructor(properties?: IM.Api.IMApiKeyListRsp.$Properties);
            keyList: IM.Api.ApiKey[];
            static encode(message: IM.Api.IMApiKeyListRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMApiKeyListRsp;
        }

        namespace IMApiKeyListRsp {
            interface $Properties {
                keyList?: readonly IM.Api.ApiKey.$Properties[] | undefined;
            }
        }

        class IMApiKeyRevokeReq {
            constructor(properties?: IM.Api.IMApiKeyRevokeReq.$Properties);
            id: string;
            actor: string;
            static encode(message: IM.Api.IMApiKeyRevokeReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMApiKeyRevokeReq;
        }

        namespace IMApiKeyRevokeReq {
            interface $Properties {
                id: string;
                actor: string;
            }
        }

        class IMApiKeyRevokeRsp {
            constructor(properties?: IM.Api.IMApiKeyRevokeRsp.$Properties);
            revoked: boolean;
            static encode(message: IM.Api.IMApiKeyRevokeRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMApiKeyRevokeRsp;
        }

        namespace IMApiKeyRevokeRsp {
            interface $Properties {
                revoked: boolean;
            }
        }

        class IMEventsForwardReq {
            constructor(properties?: IM.Api.IMEventsForwardReq.$Properties);
            limit: number;
            keepHours: number;
            static encode(message: IM.Api.IMEventsForwardReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMEventsForwardReq;
        }

        namespace IMEventsForwardReq {
            interface $Properties {
                limit: number;
                keepHours: number;
            }
        }

        class IMEventsForwardRsp {
            constructor(properties?: IM.Api.IMEventsForwardRsp.$Properties);
            wanted: boolean;
            moved: number;
            head: number;
            static encode(message: IM.Api.IMEventsForwardRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMEventsForwardRsp;
        }

        namespace IMEventsForwardRsp {
            interface $Properties {
                wanted: boolean;
                moved: number;
                head: number;
            }
        }

        class IMEventsReadReq {
            constructor(properties?: IM.Api.IMEventsReadReq.$Properties);
            after?: number | undefined;
            limit: number;
            userId?: number | undefined;
            withBodies: boolean;
            static encode(message: IM.Api.IMEventsReadReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMEventsReadReq;
        }

        namespace IMEventsReadReq {
            interface $Properties {
                after?: number | undefined;
                limit: number;
                userId?: number | undefined;
                withBodies: boolean;
            }
        }

        class IMEventsReadRsp {
            constructor(properties?: IM.Api.IMEventsReadRsp.$Properties);
            eventList: IM.Api.Event[];
            next: number;
            tooOld: boolean;
            static encode(message: IM.Api.IMEventsReadRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMEventsReadRsp;
        }

        namespace IMEventsReadRsp {
            interface $Properties {
                eventList?: readonly IM.Api.Event.$Properties[] | undefined;
                next: number;
                tooOld: boolean;
            }
        }

        class Event {
            constructor(properties?: IM.Api.Event.$Properties);
            seq: number;
            sessionType: IM.BaseDefine.SessionType;
            message: IM.Cluster.StoredMessage;
            static encode(message: IM.Api.Event.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.Event;
        }

        namespace Event {
            interface $Properties {
                seq: number;
                sessionType: IM.BaseDefine.SessionType;
                message: IM.Cluster.StoredMessage.$Properties;
            }
        }

        class Webhook {
            constructor(properties?: IM.Api.Webhook.$Properties);
            id: string;
            url: string;
            secret: string;
            userId?: number | undefined;
            withBodies: boolean;
            active: boolean;
            createdMs: number;
            keyId: string;
            waiting?: number | undefined;
            dead?: number | undefined;
            lastError?: string | undefined;
            static encode(message: IM.Api.Webhook.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.Webhook;
        }

        namespace Webhook {
            interface $Properties {
                id: string;
                url: string;
                secret: string;
                userId?: number | undefined;
                withBodies: boolean;
                active: boolean;
                createdMs: number;
                keyId: string;
                waiting?: number | undefined;
                dead?: number | undefined;
                lastError?: string | undefined;
            }
        }

        class IMWebhookPutReq {
            constructor(properties?: IM.Api.IMWebhookPutReq.$Properties);
            id?: string | undefined;
            url?: string | undefined;
            userId?: number | undefined;
            withBodies?: boolean | undefined;
            active?: boolean | undefined;
            keyId: string;
            static encode(message: IM.Api.IMWebhookPutReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMWebhookPutReq;
        }

        namespace IMWebhookPutReq {
            interface $Properties {
                id?: string | undefined;
                url?: string | undefined;
                userId?: number | undefined;
                withBodies?: boolean | undefined;
                active?: boolean | undefined;
                keyId: string;
            }
        }

        class IMWebhookPutRsp {
            constructor(properties?: IM.Api.IMWebhookPutRsp.$Properties);
            webhook?: IM.Api.Webhook | undefined;
            static encode(message: IM.Api.IMWebhookPutRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMWebhookPutRsp;
        }

        namespace IMWebhookPutRsp {
            interface $Properties {
                webhook?: IM.Api.Webhook.$Properties | undefined;
            }
        }

        class IMWebhookListReq {
            constructor(properties?: IM.Api.IMWebhookListReq.$Properties);
            keyId: string;
            static encode(message: IM.Api.IMWebhookListReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMWebhookListReq;
        }

        namespace IMWebhookListReq {
            interface $Properties {
                keyId: string;
            }
        }

        class IMWebhookListRsp {
            constructor(properties?: IM.Api.IMWebhookListRsp.$Properties);
            webhookList: IM.Api.Webhook[];
            static encode(message: IM.Api.IMWebhookListRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMWebhookListRsp;
        }

        namespace IMWebhookListRsp {
            interface $Properties {
                webhookList?: readonly IM.Api.Webhook.$Properties[] | undefined;
            }
        }

        class IMWebhookDeleteReq {
            constructor(properties?: IM.Api.IMWebhookDeleteReq.$Properties);
            id: string;
            keyId: string;
            static encode(message: IM.Api.IMWebhookDeleteReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMWebhookDeleteReq;
        }

        namespace IMWebhookDeleteReq {
            interface $Properties {
                id: string;
                keyId: string;
            }
        }

        class IMWebhookDeleteRsp {
            constructor(properties?: IM.Api.IMWebhookDeleteRsp.$Properties);
            deleted: boolean;
            static encode(message: IM.Api.IMWebhookDeleteRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMWebhookDeleteRsp;
        }

        namespace IMWebhookDeleteRsp {
            interface $Properties {
                deleted: boolean;
            }
        }

        class IMParcelsClaimReq {
            constructor(properties?: IM.Api.IMParcelsClaimReq.$Properties);
            limit: number;
            limitPerWebhook: number;
            leaseMs: number;
            busyIdList: string[];
            static encode(message: IM.Api.IMParcelsClaimReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMParcelsClaimReq;
        }

        namespace IMParcelsClaimReq {
            interface $Properties {
                limit: number;
                limitPerWebhook: number;
                leaseMs: number;
                busyIdList?: readonly string[] | undefined;
            }
        }

        class IMParcelsClaimRsp {
            constructor(properties?: IM.Api.IMParcelsClaimRsp.$Properties);
            parcelList: IM.Api.Parcel[];
            static encode(message: IM.Api.IMParcelsClaimRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMParcelsClaimRsp;
        }

        namespace IMParcelsClaimRsp {
            interface $Properties {
                parcelList?: readonly IM.Api.Parcel.$Properties[] | undefined;
            }
        }

        class Parcel {
            constructor(properties?: IM.Api.Parcel.$Properties);
            id: string;
            webhook: IM.Api.Webhook;
            conversationId: string;
            eventList: IM.Api.Event[];
            upToMsgId: number;
            attempts: number;
            deadLetterId?: number | undefined;
            static encode(message: IM.Api.Parcel.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.Parcel;
        }

        namespace Parcel {
            interface $Properties {
                id: string;
                webhook: IM.Api.Webhook.$Properties;
                conversationId: string;
                eventList?: readonly IM.Api.Event.$Properties[] | undefined;
                upToMsgId: number;
                attempts: number;
                deadLetterId?: number | undefined;
            }
        }

        class IMParcelSettleReq {
            constructor(properties?: IM.Api.IMParcelSettleReq.$Properties);
            id: string;
            webhookId: string;
            conversationId: string;
            upToMsgId: number;
            deadLetterId?: number | undefined;
            error?: string | undefined;
            retryMs?: number | undefined;
            static encode(message: IM.Api.IMParcelSettleReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMParcelSettleReq;
        }

        namespace IMParcelSettleReq {
            interface $Properties {
                id: string;
                webhookId: string;
                conversationId: string;
                upToMsgId: number;
                deadLetterId?: number | undefined;
                error?: string | undefined;
                retryMs?: number | undefined;
            }
        }

        class IMParcelSettleRsp {
            constructor(properties?: IM.Api.IMParcelSettleRsp.$Properties);
            settled: boolean;
            static encode(message: IM.Api.IMParcelSettleRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMParcelSettleRsp;
        }

        namespace IMParcelSettleRsp {
            interface $Properties {
                settled: boolean;
            }
        }

        class DeadLetter {
            constructor(properties?: IM.Api.DeadLetter.$Properties);
            id: number;
            webhookId: string;
            conversationId: string;
            fromMsgId: number;
            toMsgId: number;
            error: string;
            atMs: number;
            replaying: boolean;
            static encode(message: IM.Api.DeadLetter.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.DeadLetter;
        }

        namespace DeadLetter {
            interface $Properties {
                id: number;
                webhookId: string;
                conversationId: string;
                fromMsgId: number;
                toMsgId: number;
                error: string;
                atMs: number;
                replaying: boolean;
            }
        }

        class IMDeadLettersReq {
            constructor(properties?: IM.Api.IMDeadLettersReq.$Properties);
            webhookId: string;
            keyId: string;
            before?: number | undefined;
            limit: number;
            static encode(message: IM.Api.IMDeadLettersReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMDeadLettersReq;
        }

        namespace IMDeadLettersReq {
            interface $Properties {
                webhookId: string;
                keyId: string;
                before?: number | undefined;
                limit: number;
            }
        }

        class IMDeadLettersRsp {
            constructor(properties?: IM.Api.IMDeadLettersRsp.$Properties);
            letterList: IM.Api.DeadLetter[];
            static encode(message: IM.Api.IMDeadLettersRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMDeadLettersRsp;
        }

        namespace IMDeadLettersRsp {
            interface $Properties {
                letterList?: readonly IM.Api.DeadLetter.$Properties[] | undefined;
            }
        }

        class IMDeadLettersReplayReq {
            constructor(properties?: IM.Api.IMDeadLettersReplayReq.$Properties);
            webhookId: string;
            keyId: string;
            idList: number[];
            static encode(message: IM.Api.IMDeadLettersReplayReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMDeadLettersReplayReq;
        }

        namespace IMDeadLettersReplayReq {
            interface $Properties {
                webhookId: string;
                keyId: string;
                idList?: readonly number[] | undefined;
            }
        }

        class IMDeadLettersReplayRsp {
            constructor(properties?: IM.Api.IMDeadLettersReplayRsp.$Properties);
            replaying: number;
            static encode(message: IM.Api.IMDeadLettersReplayRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMDeadLettersReplayRsp;
        }

        namespace IMDeadLettersReplayRsp {
            interface $Properties {
                replaying: number;
            }
        }

        class IMIdempotencyReq {
            constructor(properties?: IM.Api.IMIdempotencyReq.$Properties);
            keyHash: Uint8Array;
            requestHash: Uint8Array;
            static encode(message: IM.Api.IMIdempotencyReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMIdempotencyReq;
        }

        namespace IMIdempotencyReq {
            interface $Properties {
                keyHash: Uint8Array;
                requestHash: Uint8Array;
            }
        }

        class IMIdempotencyRsp {
            constructor(properties?: IM.Api.IMIdempotencyRsp.$Properties);
            same: boolean;
            static encode(message: IM.Api.IMIdempotencyRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMIdempotencyRsp;
        }

        namespace IMIdempotencyRsp {
            interface $Properties {
                same: boolean;
            }
        }

        class IMDeadLettersDropReq {
            constructor(properties?: IM.Api.IMDeadLettersDropReq.$Properties);
            webhookId: string;
            keyId: string;
            idList: number[];
            static encode(message: IM.Api.IMDeadLettersDropReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMDeadLettersDropReq;
        }

        namespace IMDeadLettersDropReq {
            interface $Properties {
                webhookId: string;
                keyId: string;
                idList?: readonly number[] | undefined;
            }
        }

        class IMDeadLettersDropRsp {
            constructor(properties?: IM.Api.IMDeadLettersDropRsp.$Properties);
            dropped: number;
            static encode(message: IM.Api.IMDeadLettersDropRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Api.IMDeadLettersDropRsp;
        }

        namespace IMDeadLettersDropRsp {
            interface $Properties {
                dropped: number;
            }
        }
    }

    namespace BaseDefine {

        enum ServiceID {
            SID_LOGIN = 1,
            SID_BUDDY_LIST = 2,
            SID_MSG = 3,
            SID_GROUP = 4,
            SID_FILE = 5,
            SID_SWITCH_SERVICE = 6,
            SID_OTHER = 7,
            SID_INTERNAL = 8
        }

        enum LoginCmdID {
            CID_LOGIN_REQ_MSGSERVER = 257,
            CID_LOGIN_RES_MSGSERVER = 258,
            CID_LOGIN_REQ_USERLOGIN = 259,
            CID_LOGIN_RES_USERLOGIN = 260,
            CID_LOGIN_REQ_LOGINOUT = 261,
            CID_LOGIN_RES_LOGINOUT = 262,
            CID_LOGIN_KICK_USER = 263,
            CID_LOGIN_REQ_DEVICETOKEN = 264,
            CID_LOGIN_RES_DEVICETOKEN = 265,
            CID_LOGIN_REQ_KICKPCCLIENT = 266,
            CID_LOGIN_RES_KICKPCCLIENT = 267,
            CID_LOGIN_REQ_PUSH_SHIELD = 268,
            CID_LOGIN_RES_PUSH_SHIELD = 269,
            CID_LOGIN_REQ_QUERY_PUSH_SHIELD = 270,
            CID_LOGIN_RES_QUERY_PUSH_SHIELD = 271
        }

        enum BuddyListCmdID {
            CID_BUDDY_LIST_RECENT_CONTACT_SESSION_REQUEST = 513,
            CID_BUDDY_LIST_RECENT_CONTACT_SESSION_RESPONSE = 514,
            CID_BUDDY_LIST_STATUS_NOTIFY = 515,
            CID_BUDDY_LIST_USER_INFO_REQUEST = 516,
            CID_BUDDY_LIST_USER_INFO_RESPONSE = 517,
            CID_BUDDY_LIST_REMOVE_SESSION_REQ = 518,
            CID_BUDDY_LIST_REMOVE_SESSION_RES = 519,
            CID_BUDDY_LIST_ALL_USER_REQUEST = 520,
            CID_BUDDY_LIST_ALL_USER_RESPONSE = 521,
            CID_BUDDY_LIST_USERS_STATUS_REQUEST = 522,
            CID_BUDDY_LIST_USERS_STATUS_RESPONSE = 523,
            CID_BUDDY_LIST_CHANGE_AVATAR_REQUEST = 524,
            CID_BUDDY_LIST_CHANGE_AVATAR_RESPONSE = 525,
            CID_BUDDY_LIST_PC_LOGIN_STATUS_NOTIFY = 526,
            CID_BUDDY_LIST_REMOVE_SESSION_NOTIFY = 527,
            CID_BUDDY_LIST_DEPARTMENT_REQUEST = 528,
            CID_BUDDY_LIST_DEPARTMENT_RESPONSE = 529,
            CID_BUDDY_LIST_AVATAR_CHANGED_NOTIFY = 530,
            CID_BUDDY_LIST_CHANGE_SIGN_INFO_REQUEST = 531,
            CID_BUDDY_LIST_CHANGE_SIGN_INFO_RESPONSE = 532,
            CID_BUDDY_LIST_SIGN_INFO_CHANGED_NOTIFY = 533
        }

        enum MessageCmdID {
            CID_MSG_DATA = 769,
            CID_MSG_DATA_ACK = 770,
            CID_MSG_READ_ACK = 771,
            CID_MSG_READ_NOTIFY = 772,
            CID_MSG_TIME_REQUEST = 773,
            CID_MSG_TIME_RESPONSE = 774,
            CID_MSG_UNREAD_CNT_REQUEST = 775,
            CID_MSG_UNREAD_CNT_RESPONSE = 776,
            CID_MSG_LIST_REQUEST = 777,
            CID_MSG_LIST_RESPONSE = 778,
            CID_MSG_GET_LATEST_MSG_ID_REQ = 779,
            CID_MSG_GET_LATEST_MSG_ID_RSP = 780,
            CID_MSG_GET_BY_MSG_ID_REQ = 781,
            CID_MSG_GET_BY_MSG_ID_RES = 782
        }

        enum GroupCmdID {
            CID_GROUP_NORMAL_LIST_REQUEST = 1025,
            CID_GROUP_NORMAL_LIST_RESPONSE = 1026,
            CID_GROUP_INFO_REQUEST = 1027,
            CID_GROUP_INFO_RESPONSE = 1028,
            CID_GROUP_CREATE_REQUEST = 1029,
            CID_GROUP_CREATE_RESPONSE = 1030,
            CID_GROUP_CHANGE_MEMBER_REQUEST = 1031,
            CID_GROUP_CHANGE_MEMBER_RESPONSE = 1032,
            CID_GROUP_SHIELD_GROUP_REQUEST = 1033,
            CID_GROUP_SHIELD_GROUP_RESPONSE = 1034,
            CID_GROUP_CHANGE_MEMBER_NOTIFY = 1035
        }

        enum FileCmdID {
            CID_FILE_LOGIN_REQ = 1281,
            CID_FILE_LOGIN_RES = 1282,
            CID_FILE_STATE = 1283,
            CID_FILE_PULL_DATA_REQ = 1284,
            CID_FILE_PULL_DATA_RSP = 1285,
            CID_FILE_REQUEST = 1286,
            CID_FILE_RESPONSE = 1287,
            CID_FILE_NOTIFY = 1288,
            CID_FILE_HAS_OFFLINE_REQ = 1289,
            CID_FILE_HAS_OFFLINE_RES = 1290,
            CID_FILE_ADD_OFFLINE_REQ = 1291,
            CID_FILE_DEL_OFFLINE_REQ = 1292
        }

        enum SwitchServiceCmdID {
            CID_SWITCH_P2P_CMD = 1537
        }

        enum OtherCmdID {
            CID_OTHER_HEARTBEAT = 1793,
            CID_OTHER_STOP_RECV_PACKET = 1794,
            CID_OTHER_VALIDATE_REQ = 1795,
            CID_OTHER_VALIDATE_RSP = 1796,
            CID_OTHER_GET_DEVICE_TOKEN_REQ = 1797,
            CID_OTHER_GET_DEVICE_TOKEN_RSP = 1798,
            CID_OTHER_ROLE_SET = 1799,
            CID_OTHER_ONLINE_USER_INFO = 1800,
            CID_OTHER_MSG_SERV_INFO = 1801,
            CID_OTHER_USER_STATUS_UPDATE = 1802,
            CID_OTHER_USER_CNT_UPDATE = 1803,
            CID_OTHER_SERVER_KICK_USER = 1805,
            CID_OTHER_LOGIN_STATUS_NOTIFY = 1806,
            CID_OTHER_PUSH_TO_USER_REQ = 1807,
            CID_OTHER_PUSH_TO_USER_RSP = 1808,
            CID_OTHER_GET_SHIELD_REQ = 1809,
            CID_OTHER_GET_SHIELD_RSP = 1810,
            CID_OTHER_FILE_TRANSFER_REQ = 1841,
            CID_OTHER_FILE_TRANSFER_RSP = 1842,
            CID_OTHER_FILE_SERVER_IP_REQ = 1843,
            CID_OTHER_FILE_SERVER_IP_RSP = 1844
        }

        enum ResultType {
            REFUSE_REASON_NONE = 0,
            REFUSE_REASON_NO_MSG_SERVER = 1,
            REFUSE_REASON_MSG_SERVER_FULL = 2,
            REFUSE_REASON_NO_DB_SERVER = 3,
            REFUSE_REASON_NO_LOGIN_SERVER = 4,
            REFUSE_REASON_NO_ROUTE_SERVER = 5,
            REFUSE_REASON_DB_VALIDATE_FAILED = 6,
            REFUSE_REASON_VERSION_TOO_OLD = 7
        }

        enum KickReasonType {
            KICK_REASON_DUPLICATE_USER = 1,
            KICK_REASON_MOBILE_KICK = 2
        }

        enum OnlineListType {
            ONLINE_LIST_TYPE_FRIEND_LIST = 1
        }

        enum UserStatType {
            USER_STATUS_ONLINE = 1,
            USER_STATUS_OFFLINE = 2,
            USER_STATUS_LEAVE = 3
        }

        enum SessionType {
            SESSION_TYPE_SINGLE = 1,
            SESSION_TYPE_GROUP = 2
        }

        enum MsgType {
            MSG_TYPE_SINGLE_TEXT = 1,
            MSG_TYPE_SINGLE_AUDIO = 2,
            MSG_TYPE_GROUP_TEXT = 17,
            MSG_TYPE_GROUP_AUDIO = 18
        }

        enum ClientType {
            CLIENT_TYPE_WINDOWS = 1,
            CLIENT_TYPE_MAC = 2,
            CLIENT_TYPE_IOS = 17,
            CLIENT_TYPE_ANDROID = 18
        }

        enum GroupType {
            GROUP_TYPE_NORMAL = 1,
            GROUP_TYPE_TMP = 2
        }

        enum GroupModifyType {
            GROUP_MODIFY_TYPE_ADD = 1,
            GROUP_MODIFY_TYPE_DEL = 2
        }

        enum TransferFileType {
            FILE_TYPE_ONLINE = 1,
            FILE_TYPE_OFFLINE = 2
        }

        enum ClientFileState {
            CLIENT_FILE_PEER_READY = 0,
            CLIENT_FILE_CANCEL = 1,
            CLIENT_FILE_REFUSE = 2,
            CLIENT_FILE_DONE = 3
        }

        enum ClientFileRole {
            CLIENT_REALTIME_SENDER = 1,
            CLIENT_REALTIME_RECVER = 2,
            CLIENT_OFFLINE_UPLOAD = 3,
            CLIENT_OFFLINE_DOWNLOAD = 4
        }

        enum FileServerError {
            FILE_SERVER_ERRNO_OK = 0,
            FILE_SERVER_ERRNO_CREATE_TASK_ID_ERROR = 1,
            FILE_SERVER_ERRNO_CREATE_TASK_ERROR = 2,
            FILE_SERVER_ERRNO_LOGIN_INVALID_TOKEN = 3,
            FILE_SERVER_ERRNO_INVALID_USER_FOR_TASK = 4,
            FILE_SERVER_ERRNO_PULL_DATA_WITH_INVALID_TASK_ID = 5,
            FILE_SERVER_ERRNO_PULL_DATA_ILLIEAGE_USER = 6,
            FILE_SERVER_ERRNO_PULL_DATA_MKDIR_ERROR = 7,
            FILE_SERVER_ERRNO_PULL_DATA_OPEN_FILE_ERROR = 8,
            FILE_SERVER_ERRNO_PULL_DATA_READ_FILE_HEADER_ERROR = 9,
            FILE_SERVER_ERRNO_PULL_DATA_ALLOC_MEM_ERROR = 10,
            FILE_SERVER_ERRNO_PULL_DATA_SEEK_OFFSET_ERROR = 11,
            FILE_SERVER_ERRNO_PULL_DATA_FINISHED = 12
        }

        enum SessionStatusType {
            SESSION_STATUS_OK = 0,
            SESSION_STATUS_DELETE = 1
        }

        enum DepartmentStatusType {
            DEPT_STATUS_OK = 0,
            DEPT_STATUS_DELETE = 1
        }

        class IpAddr {
            constructor(properties?: IM.BaseDefine.IpAddr.$Properties);
            ip: string;
            port: number;
            static encode(message: IM.BaseDefine.IpAddr.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.IpAddr;
        }

        namespace IpAddr {
            interface $Properties {
                ip: string;
                port: number;
            }
        }

        class UserInfo {
            constructor(properties?: IM.BaseDefine.UserInfo.$Properties);
            userId: number;
            userGender: number;
            userNickName: string;
            avatarUrl: string;
            departmentId: number;
            email: string;
            userRealName: string;
            userTel: string;
            userDomain: string;
            status: number;
            signInfo?: string | undefined;
            static encode(message: IM.BaseDefine.UserInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.UserInfo;
        }

        namespace UserInfo {
            interface $Properties {
                userId: number;
                userGender: number;
                userNickName: string;
                avatarUrl: string;
                departmentId: number;
                email: string;
                userRealName: string;
                userTel: string;
                userDomain: string;
                status: number;
                signInfo?: string | undefined;
            }
        }

        class ContactSessionInfo {
            constructor(properties?: IM.BaseDefine.ContactSessionInfo.$Properties);
            sessionId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionStatus: IM.BaseDefine.SessionStatusType;
            updatedTime: number;
            latestMsgId: number;
            latestMsgData: Uint8Array;
            latestMsgType: IM.BaseDefine.MsgType;
            latestMsgFromUserId: number;
            static encode(message: IM.BaseDefine.ContactSessionInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.ContactSessionInfo;
        }

        namespace ContactSessionInfo {
            interface $Properties {
                sessionId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionStatus: IM.BaseDefine.SessionStatusType;
                updatedTime: number;
                latestMsgId: number;
                latestMsgData: Uint8Array;
                latestMsgType: IM.BaseDefine.MsgType;
                latestMsgFromUserId: number;
            }
        }

        class UserStat {
            constructor(properties?: IM.BaseDefine.UserStat.$Properties);
            userId: number;
            status: IM.BaseDefine.UserStatType;
            static encode(message: IM.BaseDefine.UserStat.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.UserStat;
        }

        namespace UserStat {
            interface $Properties {
                userId: number;
                status: IM.BaseDefine.UserStatType;
            }
        }

        class ServerUserStat {
            constructor(properties?: IM.BaseDefine.ServerUserStat.$Properties);
            userId: number;
            status: IM.BaseDefine.UserStatType;
            clientType: IM.BaseDefine.ClientType;
            static encode(message: IM.BaseDefine.ServerUserStat.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.ServerUserStat;
        }

        namespace ServerUserStat {
            interface $Properties {
                userId: number;
                status: IM.BaseDefine.UserStatType;
                clientType: IM.BaseDefine.ClientType;
            }
        }

        class UnreadInfo {
            constructor(properties?: IM.BaseDefine.UnreadInfo.$Properties);
            sessionId: number;
            sessionType: IM.BaseDefine.SessionType;
            unreadCnt: number;
            latestMsgId: number;
            latestMsgData: Uint8Array;
            latestMsgType: IM.BaseDefine.MsgType;
            latestMsgFromUserId: number;
            static encode(message: IM.BaseDefine.UnreadInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.UnreadInfo;
        }

        namespace UnreadInfo {
            interface $Properties {
                sessionId: number;
                sessionType: IM.BaseDefine.SessionType;
                unreadCnt: number;
                latestMsgId: number;
                latestMsgData: Uint8Array;
                latestMsgType: IM.BaseDefine.MsgType;
                latestMsgFromUserId: number;
            }
        }

        class MsgInfo {
            constructor(properties?: IM.BaseDefine.MsgInfo.$Properties);
            msgId: number;
            fromSessionId: number;
            createTime: number;
            msgType: IM.BaseDefine.MsgType;
            msgData: Uint8Array;
            static encode(message: IM.BaseDefine.MsgInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.MsgInfo;
        }

        namespace MsgInfo {
            interface $Properties {
                msgId: number;
                fromSessionId: number;
                createTime: number;
                msgType: IM.BaseDefine.MsgType;
                msgData: Uint8Array;
            }
        }

        class GroupVersionInfo {
            constructor(properties?: IM.BaseDefine.GroupVersionInfo.$Properties);
            groupId: number;
            version: number;
            static encode(message: IM.BaseDefine.GroupVersionInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.GroupVersionInfo;
        }

        namespace GroupVersionInfo {
            interface $Properties {
                groupId: number;
                version: number;
            }
        }

        class GroupInfo {
            constructor(properties?: IM.BaseDefine.GroupInfo.$Properties);
            groupId: number;
            version: number;
            groupName: string;
            groupAvatar: string;
            groupCreatorId: number;
            groupType: IM.BaseDefine.GroupType;
            shieldStatus: number;
            groupMemberList: number[];
            static encode(message: IM.BaseDefine.GroupInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.GroupInfo;
        }

        namespace GroupInfo {
            interface $Properties {
                groupId: number;
                version: number;
                groupName: string;
                groupAvatar: string;
                groupCreatorId: number;
                groupType: IM.BaseDefine.GroupType;
                shieldStatus: number;
                groupMemberList?: readonly number[] | undefined;
            }
        }

        class UserTokenInfo {
            constructor(properties?: IM.BaseDefine.UserTokenInfo.$Properties);
            userId: number;
            userType: IM.BaseDefine.ClientType;
            token: string;
            pushCount: number;
            pushType: number;
            static encode(message: IM.BaseDefine.UserTokenInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.UserTokenInfo;
        }

        namespace UserTokenInfo {
            interface $Properties {
                userId: number;
                userType: IM.BaseDefine.ClientType;
                token: string;
                pushCount: number;
                pushType: number;
            }
        }

        class PushResult {
            constructor(properties?: IM.BaseDefine.PushResult.$Properties);
            userToken: string;
            resultCode: number;
            static encode(message: IM.BaseDefine.PushResult.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.PushResult;
        }

        namespace PushResult {
            interface $Properties {
                userToken: string;
                resultCode: number;
            }
        }

        class ShieldStatus {
            constructor(properties?: IM.BaseDefine.ShieldStatus.$Properties);
            userId: number;
            groupId: number;
            shieldStatus: number;
            static encode(message: IM.BaseDefine.ShieldStatus.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.ShieldStatus;
        }

        namespace ShieldStatus {
            interface $Properties {
                userId: number;
                groupId: number;
                shieldStatus: number;
            }
        }

        class OfflineFileInfo {
            constructor(properties?: IM.BaseDefine.OfflineFileInfo.$Properties);
            fromUserId: number;
            taskId: string;
            fileName: string;
            fileSize: number;
            static encode(message: IM.BaseDefine.OfflineFileInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.OfflineFileInfo;
        }

        namespace OfflineFileInfo {
            interface $Properties {
                fromUserId: number;
                taskId: string;
                fileName: string;
                fileSize: number;
            }
        }

        class DepartInfo {
            constructor(properties?: IM.BaseDefine.DepartInfo.$Properties);
            deptId: number;
            priority: number;
            deptName: string;
            parentDeptId: number;
            deptStatus: IM.BaseDefine.DepartmentStatusType;
            static encode(message: IM.BaseDefine.DepartInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.DepartInfo;
        }

        namespace DepartInfo {
            interface $Properties {
                deptId: number;
                priority: number;
                deptName: string;
                parentDeptId: number;
                deptStatus: IM.BaseDefine.DepartmentStatusType;
            }
        }

        class PushShieldStatus {
            constructor(properties?: IM.BaseDefine.PushShieldStatus.$Properties);
            userId: number;
            shieldStatus: number;
            static encode(message: IM.BaseDefine.PushShieldStatus.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.PushShieldStatus;
        }

        namespace PushShieldStatus {
            interface $Properties {
                userId: number;
                shieldStatus: number;
            }
        }

        class DeviceInfo {
            constructor(properties?: IM.BaseDefine.DeviceInfo.$Properties);
            deviceId: string;
            deviceName: string;
            clientType: IM.BaseDefine.ClientType;
            createdMs: number;
            usedMs: number;
            expiresMs: number;
            current?: boolean | undefined;
            static encode(message: IM.BaseDefine.DeviceInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.BaseDefine.DeviceInfo;
        }

        namespace DeviceInfo {
            interface $Properties {
                deviceId: string;
                deviceName: string;
                clientType: IM.BaseDefine.ClientType;
                createdMs: number;
                usedMs: number;
                expiresMs: number;
                current?: boolean | undefined;
            }
        }
    }

    namespace Cluster {

        class IMHelloReq {
            constructor(properties?: IM.Cluster.IMHelloReq.$Properties);
            role: string;
            name: string;
            nonce: Uint8Array;
            static encode(message: IM.Cluster.IMHelloReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMHelloReq;
        }

        namespace IMHelloReq {
            interface $Properties {
                role: string;
                name: string;
                nonce: Uint8Array;
            }
        }

        class IMHelloRsp {
            constructor(properties?: IM.Cluster.IMHelloRsp.$Properties);
            role: string;
            name: string;
            nonce: Uint8Array;
            proof: Uint8Array;
            shares?: boolean | undefined;
            static encode(message: IM.Cluster.IMHelloRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMHelloRsp;
        }

        namespace IMHelloRsp {
            interface $Properties {
                role: string;
                name: string;
                nonce: Uint8Array;
                proof: Uint8Array;
                shares?: boolean | undefined;
            }
        }

        class IMHelloProof {
            constructor(properties?: IM.Cluster.IMHelloProof.$Properties);
            proof: Uint8Array;
            static encode(message: IM.Cluster.IMHelloProof.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMHelloProof;
        }

        namespace IMHelloProof {
            interface $Properties {
                proof: Uint8Array;
            }
        }

        class IMFailure {
            constructor(properties?: IM.Cluster.IMFailure.$Properties);
            code: string;
            detail?: string | undefined;
            static encode(message: IM.Cluster.IMFailure.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMFailure;
        }

        namespace IMFailure {
            interface $Properties {
                code: string;
                detail?: string | undefined;
            }
        }

        class IMDraining {
            constructor(properties?: IM.Cluster.IMDraining.$Properties);
            static encode(message: IM.Cluster.IMDraining.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMDraining;
        }

        namespace IMDraining {
            interface $Properties {
            }
        }

        class IMMsgServLoad {
            constructor(properties?: IM.Cluster.IMMsgServLoad.$Properties);
            ip1: string;
            ip2: string;
            port: number;
            maxConnCnt: number;
            curConnCnt: number;
            draining: boolean;
            hostName?: string | undefined;
            zone?: string | undefined;
            weight?: number | undefined;
            everyMs?: number | undefined;
            static encode(message: IM.Cluster.IMMsgServLoad.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMMsgServLoad;
        }

        namespace IMMsgServLoad {
            interface $Properties {
                ip1: string;
                ip2: string;
                port: number;
                maxConnCnt: number;
                curConnCnt: number;
                draining: boolean;
                hostName?: string | undefined;
                zone?: string | undefined;
                weight?: number | undefined;
                everyMs?: number | undefined;
            }
        }

        class IMStoreMsgReq {
            constructor(properties?: IM.Cluster.IMStoreMsgReq.$Properties);
            fromUserId: number;
            sessionType: IM.BaseDefine.SessionType;
            toSessionId: number;
            msgType: IM.BaseDefine.MsgType;
            msgData: Uint8Array;
            sendId: Uint8Array;
            static encode(message: IM.Cluster.IMStoreMsgReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMStoreMsgReq;
        }

        namespace IMStoreMsgReq {
            interface $Properties {
                fromUserId: number;
                sessionType: IM.BaseDefine.SessionType;
                toSessionId: number;
                msgType: IM.BaseDefine.MsgType;
                msgData: Uint8Array;
                sendId: Uint8Array;
            }
        }

        class IMStoreMsgRsp {
            constructor(properties?: IM.Cluster.IMStoreMsgRsp.$Properties);
            msgId: number;
            createTimeMs: number;
            duplicate: boolean;
            static encode(message: IM.Cluster.IMStoreMsgRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMStoreMsgRsp;
        }

        namespace IMStoreMsgRsp {
            interface $Properties {
                msgId: number;
                createTimeMs: number;
                duplicate: boolean;
            }
        }

        class IMMarkReadReq {
            constructor(properties?: IM.Cluster.IMMarkReadReq.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            msgId: number;
            static encode(message: IM.Cluster.IMMarkReadReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMMarkReadReq;
        }

        namespace IMMarkReadReq {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                msgId: number;
            }
        }

        class IMMarkReadRsp {
            constructor(properties?: IM.Cluster.IMMarkReadRsp.$Properties);
            readMsgId: number;
            moved: boolean;
            static encode(message: IM.Cluster.IMMarkReadRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMMarkReadRsp;
        }

        namespace IMMarkReadRsp {
            interface $Properties {
                readMsgId: number;
                moved: boolean;
            }
        }

        class IMUserGroupsReq {
            constructor(properties?: IM.Cluster.IMUserGroupsReq.$Properties);
            userId: number;
            deviceId?: string | undefined;
            static encode(message: IM.Cluster.IMUserGroupsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMUserGroupsReq;
        }

        namespace IMUserGroupsReq {
            interface $Properties {
                userId: number;
                deviceId?: string | undefined;
            }
        }

        class IMUserGroupsRsp {
            constructor(properties?: IM.Cluster.IMUserGroupsRsp.$Properties);
            groupIdList: number[];
            left?: boolean | undefined;
            static encode(message: IM.Cluster.IMUserGroupsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMUserGroupsRsp;
        }

        namespace IMUserGroupsRsp {
            interface $Properties {
                groupIdList?: readonly number[] | undefined;
                left?: boolean | undefined;
            }
        }

        class IMMissedReq {
            constructor(properties?: IM.Cluster.IMMissedReq.$Properties);
            userIdList: number[];
            sinceMs: number;
            after?: IM.Cluster.MissedPlace | undefined;
            asRanges?: boolean | undefined;
            rangeList: IM.Cluster.MissedRange[];
            static encode(message: IM.Cluster.IMMissedReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMMissedReq;
        }

        namespace IMMissedReq {
            interface $Properties {
                userIdList?: readonly number[] | undefined;
                sinceMs: number;
                after?: IM.Cluster.MissedPlace.$Properties | undefined;
                asRanges?: boolean | undefined;
                rangeList?: readonly IM.Cluster.MissedRange.$Properties[] | undefined;
            }
        }

        class MissedRange {
            constructor(properties?: IM.Cluster.MissedRange.$Properties);
            conversationId: string;
            fromMsgId: number;
            toMsgId: number;
            static encode(message: IM.Cluster.MissedRange.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.MissedRange;
        }

        namespace MissedRange {
            interface $Properties {
                conversationId: string;
                fromMsgId: number;
                toMsgId: number;
            }
        }

        class MissedPlace {
            constructor(properties?: IM.Cluster.MissedPlace.$Properties);
            conversationId: string;
            msgId: number;
            static encode(message: IM.Cluster.MissedPlace.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.MissedPlace;
        }

        namespace MissedPlace {
            interface $Properties {
                conversationId: string;
                msgId: number;
            }
        }

        class IMMissedRsp {
            constructor(properties?: IM.Cluster.IMMissedRsp.$Properties);
            messageList: IM.Cluster.StoredMessage[];
            next?: IM.Cluster.MissedPlace | undefined;
            leftUserList: number[];
            groupsList: IM.Cluster.UserGroups[];
            rangeList: IM.Cluster.MissedRange[];
            static encode(message: IM.Cluster.IMMissedRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMMissedRsp;
        }

        namespace IMMissedRsp {
            interface $Properties {
                messageList?: readonly IM.Cluster.StoredMessage.$Properties[] | undefined;
                next?: IM.Cluster.MissedPlace.$Properties | undefined;
                leftUserList?: readonly number[] | undefined;
                groupsList?: readonly IM.Cluster.UserGroups.$Properties[] | undefined;
                rangeList?: readonly IM.Cluster.MissedRange.$Properties[] | undefined;
            }
        }

        class UserGroups {
            constructor(properties?: IM.Cluster.UserGroups.$Properties);
            userId: number;
            groupIdList: number[];
            static encode(message: IM.Cluster.UserGroups.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.UserGroups;
        }

        namespace UserGroups {
            interface $Properties {
                userId: number;
                groupIdList?: readonly number[] | undefined;
            }
        }

        class StoredMessage {
            constructor(properties?: IM.Cluster.StoredMessage.$Properties);
            fromUserId: number;
            toSessionId: number;
            msgId: number;
            createTimeMs: number;
            msgType: IM.BaseDefine.MsgType;
            msgData: Uint8Array;
            static encode(message: IM.Cluster.StoredMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.StoredMessage;
        }

        namespace StoredMessage {
            interface $Properties {
                fromUserId: number;
                toSessionId: number;
                msgId: number;
                createTimeMs: number;
                msgType: IM.BaseDefine.MsgType;
                msgData: Uint8Array;
            }
        }

        class IMRemovedSessionsReq {
            constructor(properties?: IM.Cluster.IMRemovedSessionsReq.$Properties);
            userId: number;
            sinceMs: number;
            static encode(message: IM.Cluster.IMRemovedSessionsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMRemovedSessionsReq;
        }

        namespace IMRemovedSessionsReq {
            interface $Properties {
                userId: number;
                sinceMs: number;
            }
        }

        class IMRemovedSessionsRsp {
            constructor(properties?: IM.Cluster.IMRemovedSessionsRsp.$Properties);
            sessionList: IM.Cluster.RemovedSession[];
            static encode(message: IM.Cluster.IMRemovedSessionsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMRemovedSessionsRsp;
        }

        namespace IMRemovedSessionsRsp {
            interface $Properties {
                sessionList?: readonly IM.Cluster.RemovedSession.$Properties[] | undefined;
            }
        }

        class RemovedSession {
            constructor(properties?: IM.Cluster.RemovedSession.$Properties);
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            static encode(message: IM.Cluster.RemovedSession.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.RemovedSession;
        }

        namespace RemovedSession {
            interface $Properties {
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
            }
        }

        class IMInterest {
            constructor(properties?: IM.Cluster.IMInterest.$Properties);
            reset: boolean;
            usersIn: number[];
            usersOut: number[];
            groupsIn: number[];
            groupsOut: number[];
            sentMs?: number | undefined;
            unheardSinceMs?: number | undefined;
            static encode(message: IM.Cluster.IMInterest.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMInterest;
        }

        namespace IMInterest {
            interface $Properties {
                reset: boolean;
                usersIn?: readonly number[] | undefined;
                usersOut?: readonly number[] | undefined;
                groupsIn?: readonly number[] | undefined;
                groupsOut?: readonly number[] | undefined;
                sentMs?: number | undefined;
                unheardSinceMs?: number | undefined;
            }
        }

        class IMInterestRsp {
            constructor(properties?: IM.Cluster.IMInterestRsp.$Properties);
            static encode(message: IM.Cluster.IMInterestRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMInterestRsp;
        }

        namespace IMInterestRsp {
            interface $Properties {
            }
        }

        class IMPublish {
            constructor(properties?: IM.Cluster.IMPublish.$Properties);
            userIdList: number[];
            groupId?: number | undefined;
            frame: Uint8Array;
            onlyClass?: IM.Cluster.DeviceClass | undefined;
            everyone?: boolean | undefined;
            msgId?: number | undefined;
            static encode(message: IM.Cluster.IMPublish.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMPublish;
        }

        namespace IMPublish {
            interface $Properties {
                userIdList?: readonly number[] | undefined;
                groupId?: number | undefined;
                frame: Uint8Array;
                onlyClass?: IM.Cluster.DeviceClass | undefined;
                everyone?: boolean | undefined;
                msgId?: number | undefined;
            }
        }

        enum DeviceClass {
            DEVICE_CLASS_PC = 1,
            DEVICE_CLASS_MOBILE = 2
        }

        class IMKickOlder {
            constructor(properties?: IM.Cluster.IMKickOlder.$Properties);
            userId: number;
            clientType: IM.BaseDefine.ClientType;
            reason: IM.BaseDefine.KickReasonType;
            loginNumber?: number | undefined;
            static encode(message: IM.Cluster.IMKickOlder.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMKickOlder;
        }

        namespace IMKickOlder {
            interface $Properties {
                userId: number;
                clientType: IM.BaseDefine.ClientType;
                reason: IM.BaseDefine.KickReasonType;
                loginNumber?: number | undefined;
            }
        }

        class IMGroupMembersChanged {
            constructor(properties?: IM.Cluster.IMGroupMembersChanged.$Properties);
            groupId: number;
            joined: number[];
            left: number[];
            passOn?: boolean | undefined;
            static encode(message: IM.Cluster.IMGroupMembersChanged.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMGroupMembersChanged;
        }

        namespace IMGroupMembersChanged {
            interface $Properties {
                groupId: number;
                joined?: readonly number[] | undefined;
                left?: readonly number[] | undefined;
                passOn?: boolean | undefined;
            }
        }

        class IMDisturbed {
            constructor(properties?: IM.Cluster.IMDisturbed.$Properties);
            sinceMs: number;
            id?: string | undefined;
            heardMs?: number | undefined;
            static encode(message: IM.Cluster.IMDisturbed.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMDisturbed;
        }

        namespace IMDisturbed {
            interface $Properties {
                sinceMs: number;
                id?: string | undefined;
                heardMs?: number | undefined;
            }
        }

        class IMRouteNews {
            constructor(properties?: IM.Cluster.IMRouteNews.$Properties);
            route: string;
            life: string;
            seq: number;
            sentMs: number;
            frame: Uint8Array[];
            startedMs?: number | undefined;
            static encode(message: IM.Cluster.IMRouteNews.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMRouteNews;
        }

        namespace IMRouteNews {
            interface $Properties {
                route: string;
                life: string;
                seq: number;
                sentMs: number;
                frame?: readonly Uint8Array[] | undefined;
                startedMs?: number | undefined;
            }
        }

        class IMRoutePulse {
            constructor(properties?: IM.Cluster.IMRoutePulse.$Properties);
            msgServerList: string[];
            static encode(message: IM.Cluster.IMRoutePulse.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMRoutePulse;
        }

        namespace IMRoutePulse {
            interface $Properties {
                msgServerList?: readonly string[] | undefined;
            }
        }

        class IMRoutePresence {
            constructor(properties?: IM.Cluster.IMRoutePresence.$Properties);
            msgServer: string;
            whole: boolean;
            sessionList: IM.Cluster.RoutePresence[];
            static encode(message: IM.Cluster.IMRoutePresence.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMRoutePresence;
        }

        namespace IMRoutePresence {
            interface $Properties {
                msgServer: string;
                whole: boolean;
                sessionList?: readonly IM.Cluster.RoutePresence.$Properties[] | undefined;
            }
        }

        class RoutePresence {
            constructor(properties?: IM.Cluster.RoutePresence.$Properties);
            userId: number;
            clientType: IM.BaseDefine.ClientType;
            count: number;
            static encode(message: IM.Cluster.RoutePresence.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.RoutePresence;
        }

        namespace RoutePresence {
            interface $Properties {
                userId: number;
                clientType: IM.BaseDefine.ClientType;
                count: number;
            }
        }

        class IMRoutePresenceAsk {
            constructor(properties?: IM.Cluster.IMRoutePresenceAsk.$Properties);
            static encode(message: IM.Cluster.IMRoutePresenceAsk.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMRoutePresenceAsk;
        }

        namespace IMRoutePresenceAsk {
            interface $Properties {
            }
        }

        class IMSessionAddresses {
            constructor(properties?: IM.Cluster.IMSessionAddresses.$Properties);
            reset?: boolean | undefined;
            addressIn: string[];
            addressOut: string[];
            static encode(message: IM.Cluster.IMSessionAddresses.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMSessionAddresses;
        }

        namespace IMSessionAddresses {
            interface $Properties {
                reset?: boolean | undefined;
                addressIn?: readonly string[] | undefined;
                addressOut?: readonly string[] | undefined;
            }
        }

        class IMFileTaskReq {
            constructor(properties?: IM.Cluster.IMFileTaskReq.$Properties);
            fromUserId: number;
            toUserId: number;
            fileName: string;
            fileSize: number;
            transMode: IM.BaseDefine.TransferFileType;
            static encode(message: IM.Cluster.IMFileTaskReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMFileTaskReq;
        }

        namespace IMFileTaskReq {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                fileName: string;
                fileSize: number;
                transMode: IM.BaseDefine.TransferFileType;
            }
        }

        class IMFileTaskRsp {
            constructor(properties?: IM.Cluster.IMFileTaskRsp.$Properties);
            taskId: string;
            ipAddrList: IM.BaseDefine.IpAddr[];
            static encode(message: IM.Cluster.IMFileTaskRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMFileTaskRsp;
        }

        namespace IMFileTaskRsp {
            interface $Properties {
                taskId: string;
                ipAddrList?: readonly IM.BaseDefine.IpAddr.$Properties[] | undefined;
            }
        }

        class IMExpireTransfersReq {
            constructor(properties?: IM.Cluster.IMExpireTransfersReq.$Properties);
            countMax: number;
            static encode(message: IM.Cluster.IMExpireTransfersReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMExpireTransfersReq;
        }

        namespace IMExpireTransfersReq {
            interface $Properties {
                countMax: number;
            }
        }

        class IMExpireTransfersRsp {
            constructor(properties?: IM.Cluster.IMExpireTransfersRsp.$Properties);
            count: number;
            static encode(message: IM.Cluster.IMExpireTransfersRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMExpireTransfersRsp;
        }

        namespace IMExpireTransfersRsp {
            interface $Properties {
                count: number;
            }
        }

        class IMAddTransferReq {
            constructor(properties?: IM.Cluster.IMAddTransferReq.$Properties);
            transfer: IM.Cluster.Transfer;
            openMax: number;
            static encode(message: IM.Cluster.IMAddTransferReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMAddTransferReq;
        }

        namespace IMAddTransferReq {
            interface $Properties {
                transfer: IM.Cluster.Transfer.$Properties;
                openMax: number;
            }
        }

        class IMAddTransferRsp {
            constructor(properties?: IM.Cluster.IMAddTransferRsp.$Properties);
            static encode(message: IM.Cluster.IMAddTransferRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMAddTransferRsp;
        }

        namespace IMAddTransferRsp {
            interface $Properties {
            }
        }

        class IMGetTransferReq {
            constructor(properties?: IM.Cluster.IMGetTransferReq.$Properties);
            taskId: string;
            expiresMs: number;
            static encode(message: IM.Cluster.IMGetTransferReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMGetTransferReq;
        }

        namespace IMGetTransferReq {
            interface $Properties {
                taskId: string;
                expiresMs: number;
            }
        }

        class IMGetTransferRsp {
            constructor(properties?: IM.Cluster.IMGetTransferRsp.$Properties);
            transfer?: IM.Cluster.Transfer | undefined;
            static encode(message: IM.Cluster.IMGetTransferRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMGetTransferRsp;
        }

        namespace IMGetTransferRsp {
            interface $Properties {
                transfer?: IM.Cluster.Transfer.$Properties | undefined;
            }
        }

        class Transfer {
            constructor(properties?: IM.Cluster.Transfer.$Properties);
            taskId: string;
            fromUserId: number;
            toUserId: number;
            transMode: IM.BaseDefine.TransferFileType;
            fileSize: number;
            expiresMs: number;
            fileName?: string | undefined;
            uploadId?: string | undefined;
            stored?: boolean | undefined;
            static encode(message: IM.Cluster.Transfer.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.Transfer;
        }

        namespace Transfer {
            interface $Properties {
                taskId: string;
                fromUserId: number;
                toUserId: number;
                transMode: IM.BaseDefine.TransferFileType;
                fileSize: number;
                expiresMs: number;
                fileName?: string | undefined;
                uploadId?: string | undefined;
                stored?: boolean | undefined;
            }
        }

        class IMMarkTransferReq {
            constructor(properties?: IM.Cluster.IMMarkTransferReq.$Properties);
            taskId: string;
            expiresMs: number;
            uploadId?: string | undefined;
            static encode(message: IM.Cluster.IMMarkTransferReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMMarkTransferReq;
        }

        namespace IMMarkTransferReq {
            interface $Properties {
                taskId: string;
                expiresMs: number;
                uploadId?: string | undefined;
            }
        }

        class IMMarkTransferRsp {
            constructor(properties?: IM.Cluster.IMMarkTransferRsp.$Properties);
            found: boolean;
            static encode(message: IM.Cluster.IMMarkTransferRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMMarkTransferRsp;
        }

        namespace IMMarkTransferRsp {
            interface $Properties {
                found: boolean;
            }
        }

        class IMEndTransferReq {
            constructor(properties?: IM.Cluster.IMEndTransferReq.$Properties);
            taskId: string;
            static encode(message: IM.Cluster.IMEndTransferReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMEndTransferReq;
        }

        namespace IMEndTransferReq {
            interface $Properties {
                taskId: string;
            }
        }

        class IMEndTransferRsp {
            constructor(properties?: IM.Cluster.IMEndTransferRsp.$Properties);
            static encode(message: IM.Cluster.IMEndTransferRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMEndTransferRsp;
        }

        namespace IMEndTransferRsp {
            interface $Properties {
            }
        }

        class IMOfferFileReq {
            constructor(properties?: IM.Cluster.IMOfferFileReq.$Properties);
            fromUserId: number;
            toUserId: number;
            taskId: string;
            fileName: string;
            static encode(message: IM.Cluster.IMOfferFileReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMOfferFileReq;
        }

        namespace IMOfferFileReq {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                taskId: string;
                fileName: string;
            }
        }

        class IMOfferFileRsp {
            constructor(properties?: IM.Cluster.IMOfferFileRsp.$Properties);
            offered: boolean;
            fileSize?: number | undefined;
            static encode(message: IM.Cluster.IMOfferFileRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMOfferFileRsp;
        }

        namespace IMOfferFileRsp {
            interface $Properties {
                offered: boolean;
                fileSize?: number | undefined;
            }
        }

        class IMDropFileReq {
            constructor(properties?: IM.Cluster.IMDropFileReq.$Properties);
            fromUserId: number;
            toUserId: number;
            taskId: string;
            static encode(message: IM.Cluster.IMDropFileReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMDropFileReq;
        }

        namespace IMDropFileReq {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                taskId: string;
            }
        }

        class IMDropFileRsp {
            constructor(properties?: IM.Cluster.IMDropFileRsp.$Properties);
            dropped: boolean;
            static encode(message: IM.Cluster.IMDropFileRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Cluster.IMDropFileRsp;
        }

        namespace IMDropFileRsp {
            interface $Properties {
                dropped: boolean;
            }
        }
    }

    namespace Blob {

        class BlobInfo {
            constructor(properties?: IM.Blob.BlobInfo.$Properties);
            id: Uint8Array;
            sha256: Uint8Array;
            size: number;
            fileKey: Uint8Array;
            static encode(message: IM.Blob.BlobInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.BlobInfo;
        }

        namespace BlobInfo {
            interface $Properties {
                id: Uint8Array;
                sha256: Uint8Array;
                size: number;
                fileKey: Uint8Array;
            }
        }

        class FileEntry {
            constructor(properties?: IM.Blob.FileEntry.$Properties);
            kind: string;
            name: string;
            userId?: number | undefined;
            fileName: string;
            mediaType: string;
            expiresMs?: number | undefined;
            createdMs?: number | undefined;
            madeOf?: Uint8Array | undefined;
            static encode(message: IM.Blob.FileEntry.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.FileEntry;
        }

        namespace FileEntry {
            interface $Properties {
                kind: string;
                name: string;
                userId?: number | undefined;
                fileName: string;
                mediaType: string;
                expiresMs?: number | undefined;
                createdMs?: number | undefined;
                madeOf?: Uint8Array | undefined;
            }
        }

        class IMUploadBeginReq {
            constructor(properties?: IM.Blob.IMUploadBeginReq.$Properties);
            uploadId: Uint8Array;
            sizeMax: number;
            holder: string;
            userId?: number | undefined;
            userBytesMax?: number | undefined;
            totalBytesMax?: number | undefined;
            detail?: Uint8Array | undefined;
            static encode(message: IM.Blob.IMUploadBeginReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMUploadBeginReq;
        }

        namespace IMUploadBeginReq {
            interface $Properties {
                uploadId: Uint8Array;
                sizeMax: number;
                holder: string;
                userId?: number | undefined;
                userBytesMax?: number | undefined;
                totalBytesMax?: number | undefined;
                detail?: Uint8Array | undefined;
            }
        }

        class IMUploadBeginRsp {
            constructor(properties?: IM.Blob.IMUploadBeginRsp.$Properties);
            fileKey: Uint8Array;
            static encode(message: IM.Blob.IMUploadBeginRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMUploadBeginRsp;
        }

        namespace IMUploadBeginRsp {
            interface $Properties {
                fileKey: Uint8Array;
            }
        }

        class IMUploadClaimReq {
            constructor(properties?: IM.Blob.IMUploadClaimReq.$Properties);
            uploadId: Uint8Array;
            holder: string;
            static encode(message: IM.Blob.IMUploadClaimReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMUploadClaimReq;
        }

        namespace IMUploadClaimReq {
            interface $Properties {
                uploadId: Uint8Array;
                holder: string;
            }
        }

        class IMUploadClaimRsp {
            constructor(properties?: IM.Blob.IMUploadClaimRsp.$Properties);
            fileKey: Uint8Array;
            sizeMax: number;
            userId?: number | undefined;
            detail?: Uint8Array | undefined;
            createdMs: number;
            static encode(message: IM.Blob.IMUploadClaimRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMUploadClaimRsp;
        }

        namespace IMUploadClaimRsp {
            interface $Properties {
                fileKey: Uint8Array;
                sizeMax: number;
                userId?: number | undefined;
                detail?: Uint8Array | undefined;
                createdMs: number;
            }
        }

        class IMUploadFinishReq {
            constructor(properties?: IM.Blob.IMUploadFinishReq.$Properties);
            uploadId: Uint8Array;
            holder: string;
            sha256: Uint8Array;
            size: number;
            file: IM.Blob.FileEntry;
            static encode(message: IM.Blob.IMUploadFinishReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMUploadFinishReq;
        }

        namespace IMUploadFinishReq {
            interface $Properties {
                uploadId: Uint8Array;
                holder: string;
                sha256: Uint8Array;
                size: number;
                file: IM.Blob.FileEntry.$Properties;
            }
        }

        class IMUploadFinishRsp {
            constructor(properties?: IM.Blob.IMUploadFinishRsp.$Properties);
            blob: IM.Blob.BlobInfo;
            static encode(message: IM.Blob.IMUploadFinishRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMUploadFinishRsp;
        }

        namespace IMUploadFinishRsp {
            interface $Properties {
                blob: IM.Blob.BlobInfo.$Properties;
            }
        }

        class IMBlobDropReq {
            constructor(properties?: IM.Blob.IMBlobDropReq.$Properties);
            uploadId?: Uint8Array | undefined;
            kind?: string | undefined;
            name?: string | undefined;
            static encode(message: IM.Blob.IMBlobDropReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMBlobDropReq;
        }

        namespace IMBlobDropReq {
            interface $Properties {
                uploadId?: Uint8Array | undefined;
                kind?: string | undefined;
                name?: string | undefined;
            }
        }

        class IMBlobDropRsp {
            constructor(properties?: IM.Blob.IMBlobDropRsp.$Properties);
            found: boolean;
            static encode(message: IM.Blob.IMBlobDropRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMBlobDropRsp;
        }

        namespace IMBlobDropRsp {
            interface $Properties {
                found: boolean;
            }
        }

        class IMBlobFindReq {
            constructor(properties?: IM.Blob.IMBlobFindReq.$Properties);
            kind?: string | undefined;
            name?: string | undefined;
            sha256?: Uint8Array | undefined;
            static encode(message: IM.Blob.IMBlobFindReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMBlobFindReq;
        }

        namespace IMBlobFindReq {
            interface $Properties {
                kind?: string | undefined;
                name?: string | undefined;
                sha256?: Uint8Array | undefined;
            }
        }

        class IMBlobFindRsp {
            constructor(properties?: IM.Blob.IMBlobFindRsp.$Properties);
            blob?: IM.Blob.BlobInfo | undefined;
            file?: IM.Blob.FileEntry | undefined;
            static encode(message: IM.Blob.IMBlobFindRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMBlobFindRsp;
        }

        namespace IMBlobFindRsp {
            interface $Properties {
                blob?: IM.Blob.BlobInfo.$Properties | undefined;
                file?: IM.Blob.FileEntry.$Properties | undefined;
            }
        }

        class IMBlobReferReq {
            constructor(properties?: IM.Blob.IMBlobReferReq.$Properties);
            blobId: Uint8Array;
            file: IM.Blob.FileEntry;
            userBytesMax?: number | undefined;
            static encode(message: IM.Blob.IMBlobReferReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMBlobReferReq;
        }

        namespace IMBlobReferReq {
            interface $Properties {
                blobId: Uint8Array;
                file: IM.Blob.FileEntry.$Properties;
                userBytesMax?: number | undefined;
            }
        }

        class IMBlobReferRsp {
            constructor(properties?: IM.Blob.IMBlobReferRsp.$Properties);
            blob: IM.Blob.BlobInfo;
            static encode(message: IM.Blob.IMBlobReferRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMBlobReferRsp;
        }

        namespace IMBlobReferRsp {
            interface $Properties {
                blob: IM.Blob.BlobInfo.$Properties;
            }
        }

        class IMBlobSweepReq {
            constructor(properties?: IM.Blob.IMBlobSweepReq.$Properties);
            removed: Uint8Array[];
            seen: Uint8Array[];
            uploadAgeMs: number;
            graceMs: number;
            limit: number;
            collect: boolean;
            static encode(message: IM.Blob.IMBlobSweepReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMBlobSweepReq;
        }

        namespace IMBlobSweepReq {
            interface $Properties {
                removed?: readonly Uint8Array[] | undefined;
                seen?: readonly Uint8Array[] | undefined;
                uploadAgeMs: number;
                graceMs: number;
                limit: number;
                collect: boolean;
            }
        }

        class IMBlobSweepRsp {
            constructor(properties?: IM.Blob.IMBlobSweepRsp.$Properties);
            remove: Uint8Array[];
            unknown: Uint8Array[];
            static encode(message: IM.Blob.IMBlobSweepRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Blob.IMBlobSweepRsp;
        }

        namespace IMBlobSweepRsp {
            interface $Properties {
                remove?: readonly Uint8Array[] | undefined;
                unknown?: readonly Uint8Array[] | undefined;
            }
        }
    }

    namespace Buddy {

        class IMRecentContactSessionReq {
            constructor(properties?: IM.Buddy.IMRecentContactSessionReq.$Properties);
            userId: number;
            latestUpdateTime: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMRecentContactSessionReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMRecentContactSessionReq;
        }

        namespace IMRecentContactSessionReq {
            interface $Properties {
                userId: number;
                latestUpdateTime: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMRecentContactSessionRsp {
            constructor(properties?: IM.Buddy.IMRecentContactSessionRsp.$Properties);
            userId: number;
            contactSessionList: IM.BaseDefine.ContactSessionInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMRecentContactSessionRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMRecentContactSessionRsp;
        }

        namespace IMRecentContactSessionRsp {
            interface $Properties {
                userId: number;
                contactSessionList?: readonly IM.BaseDefine.ContactSessionInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMUserStatNotify {
            constructor(properties?: IM.Buddy.IMUserStatNotify.$Properties);
            userStat: IM.BaseDefine.UserStat;
            static encode(message: IM.Buddy.IMUserStatNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMUserStatNotify;
        }

        namespace IMUserStatNotify {
            interface $Properties {
                userStat: IM.BaseDefine.UserStat.$Properties;
            }
        }

        class IMUsersInfoReq {
            constructor(properties?: IM.Buddy.IMUsersInfoReq.$Properties);
            userId: number;
            userIdList: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMUsersInfoReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMUsersInfoReq;
        }

        namespace IMUsersInfoReq {
            interface $Properties {
                userId: number;
                userIdList?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMUsersInfoRsp {
            constructor(properties?: IM.Buddy.IMUsersInfoRsp.$Properties);
            userId: number;
            userInfoList: IM.BaseDefine.UserInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMUsersInfoRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMUsersInfoRsp;
        }

        namespace IMUsersInfoRsp {
            interface $Properties {
                userId: number;
                userInfoList?: readonly IM.BaseDefine.UserInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMRemoveSessionReq {
            constructor(properties?: IM.Buddy.IMRemoveSessionReq.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMRemoveSessionReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMRemoveSessionReq;
        }

        namespace IMRemoveSessionReq {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMRemoveSessionRsp {
            constructor(properties?: IM.Buddy.IMRemoveSessionRsp.$Properties);
            userId: number;
            resultCode: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMRemoveSessionRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMRemoveSessionRsp;
        }

        namespace IMRemoveSessionRsp {
            interface $Properties {
                userId: number;
                resultCode: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMAllUserReq {
            constructor(properties?: IM.Buddy.IMAllUserReq.$Properties);
            userId: number;
            latestUpdateTime: number;
            attachData?: Uint8Array | undefined;
            clientType?: IM.BaseDefine.ClientType | undefined;
            static encode(message: IM.Buddy.IMAllUserReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMAllUserReq;
        }

        namespace IMAllUserReq {
            interface $Properties {
                userId: number;
                latestUpdateTime: number;
                attachData?: Uint8Array | undefined;
                clientType?: IM.BaseDefine.ClientType | undefined;
            }
        }

        class IMAllUserRsp {
            constructor(properties?: IM.Buddy.IMAllUserRsp.$Properties);
            userId: number;
            latestUpdateTime: number;
            userList: IM.BaseDefine.UserInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMAllUserRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMAllUserRsp;
        }

        namespace IMAllUserRsp {
            interface $Properties {
                userId: number;
                latestUpdateTime: number;
                userList?: readonly IM.BaseDefine.UserInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMUsersStatReq {
            constructor(properties?: IM.Buddy.IMUsersStatReq.$Properties);
            userId: number;
            userIdList: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMUsersStatReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMUsersStatReq;
        }

        namespace IMUsersStatReq {
            interface $Properties {
                userId: number;
                userIdList?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMUsersStatRsp {
            constructor(properties?: IM.Buddy.IMUsersStatRsp.$Properties);
            userId: number;
            userStatList: IM.BaseDefine.UserStat[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMUsersStatRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMUsersStatRsp;
        }

        namespace IMUsersStatRsp {
            interface $Properties {
                userId: number;
                userStatList?: readonly IM.BaseDefine.UserStat.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMChangeAvatarReq {
            constructor(properties?: IM.Buddy.IMChangeAvatarReq.$Properties);
            userId: number;
            avatarUrl: string;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMChangeAvatarReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMChangeAvatarReq;
        }

        namespace IMChangeAvatarReq {
            interface $Properties {
                userId: number;
                avatarUrl: string;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMChangeAvatarRsp {
            constructor(properties?: IM.Buddy.IMChangeAvatarRsp.$Properties);
            userId: number;
            resultCode: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMChangeAvatarRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMChangeAvatarRsp;
        }

        namespace IMChangeAvatarRsp {
            interface $Properties {
                userId: number;
                resultCode: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMPCLoginStatusNotify {
            constructor(properties?: IM.Buddy.IMPCLoginStatusNotify.$Properties);
            userId: number;
            loginStat: IM.BaseDefine.UserStatType;
            static encode(message: IM.Buddy.IMPCLoginStatusNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMPCLoginStatusNotify;
        }

        namespace IMPCLoginStatusNotify {
            interface $Properties {
                userId: number;
                loginStat: IM.BaseDefine.UserStatType;
            }
        }

        class IMRemoveSessionNotify {
            constructor(properties?: IM.Buddy.IMRemoveSessionNotify.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            static encode(message: IM.Buddy.IMRemoveSessionNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMRemoveSessionNotify;
        }

        namespace IMRemoveSessionNotify {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
            }
        }

        class IMDepartmentReq {
            constructor(properties?: IM.Buddy.IMDepartmentReq.$Properties);
            userId: number;
            latestUpdateTime: number;
            attachData?: Uint8Array | undefined;
            clientType?: IM.BaseDefine.ClientType | undefined;
            static encode(message: IM.Buddy.IMDepartmentReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMDepartmentReq;
        }

        namespace IMDepartmentReq {
            interface $Properties {
                userId: number;
                latestUpdateTime: number;
                attachData?: Uint8Array | undefined;
                clientType?: IM.BaseDefine.ClientType | undefined;
            }
        }

        class IMDepartmentRsp {
            constructor(properties?: IM.Buddy.IMDepartmentRsp.$Properties);
            userId: number;
            latestUpdateTime: number;
            deptList: IM.BaseDefine.DepartInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMDepartmentRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMDepartmentRsp;
        }

        namespace IMDepartmentRsp {
            interface $Properties {
                userId: number;
                latestUpdateTime: number;
                deptList?: readonly IM.BaseDefine.DepartInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMAvatarChangedNotify {
            constructor(properties?: IM.Buddy.IMAvatarChangedNotify.$Properties);
            changedUserId: number;
            avatarUrl: string;
            static encode(message: IM.Buddy.IMAvatarChangedNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMAvatarChangedNotify;
        }

        namespace IMAvatarChangedNotify {
            interface $Properties {
                changedUserId: number;
                avatarUrl: string;
            }
        }

        class IMChangeSignInfoReq {
            constructor(properties?: IM.Buddy.IMChangeSignInfoReq.$Properties);
            userId: number;
            signInfo: string;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMChangeSignInfoReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMChangeSignInfoReq;
        }

        namespace IMChangeSignInfoReq {
            interface $Properties {
                userId: number;
                signInfo: string;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMChangeSignInfoRsp {
            constructor(properties?: IM.Buddy.IMChangeSignInfoRsp.$Properties);
            userId: number;
            resultCode: number;
            signInfo?: string | undefined;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Buddy.IMChangeSignInfoRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMChangeSignInfoRsp;
        }

        namespace IMChangeSignInfoRsp {
            interface $Properties {
                userId: number;
                resultCode: number;
                signInfo?: string | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMSignInfoChangedNotify {
            constructor(properties?: IM.Buddy.IMSignInfoChangedNotify.$Properties);
            changedUserId: number;
            signInfo: string;
            static encode(message: IM.Buddy.IMSignInfoChangedNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMSignInfoChangedNotify;
        }

        namespace IMSignInfoChangedNotify {
            interface $Properties {
                changedUserId: number;
                signInfo: string;
            }
        }

        class IMDirectoryNotify {
            constructor(properties?: IM.Buddy.IMDirectoryNotify.$Properties);
            latestUsersTime?: number | undefined;
            latestDepartmentsTime?: number | undefined;
            static encode(message: IM.Buddy.IMDirectoryNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Buddy.IMDirectoryNotify;
        }

        namespace IMDirectoryNotify {
            interface $Properties {
                latestUsersTime?: number | undefined;
                latestDepartmentsTime?: number | undefined;
            }
        }
    }

    namespace Console {

        class AdminInfo {
            constructor(properties?: IM.Console.AdminInfo.$Properties);
            id: number;
            name: string;
            role: string;
            disabled: boolean;
            mustChange: boolean;
            totp: boolean;
            version: number;
            createdMs: number;
            lastSeenMs?: number | undefined;
            static encode(message: IM.Console.AdminInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.AdminInfo;
        }

        namespace AdminInfo {
            interface $Properties {
                id: number;
                name: string;
                role: string;
                disabled: boolean;
                mustChange: boolean;
                totp: boolean;
                version: number;
                createdMs: number;
                lastSeenMs?: number | undefined;
            }
        }

        class IMAdminEnterReq {
            constructor(properties?: IM.Console.IMAdminEnterReq.$Properties);
            name: string;
            password: string;
            code: string;
            address: string;
            agent: string;
            idleMs: number;
            lifetimeMs: number;
            static encode(message: IM.Console.IMAdminEnterReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminEnterReq;
        }

        namespace IMAdminEnterReq {
            interface $Properties {
                name: string;
                password: string;
                code: string;
                address: string;
                agent: string;
                idleMs: number;
                lifetimeMs: number;
            }
        }

        class IMAdminEnterRsp {
            constructor(properties?: IM.Console.IMAdminEnterRsp.$Properties);
            result: IM.Console.EnterResult;
            token?: Uint8Array | undefined;
            retryAfterMs?: number | undefined;
            static encode(message: IM.Console.IMAdminEnterRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminEnterRsp;
        }

        namespace IMAdminEnterRsp {
            interface $Properties {
                result: IM.Console.EnterResult;
                token?: Uint8Array | undefined;
                retryAfterMs?: number | undefined;
            }
        }

        enum EnterResult {
            ENTER_RESULT_OK = 0,
            ENTER_RESULT_WRONG = 1,
            ENTER_RESULT_LOCKED = 2,
            ENTER_RESULT_CODE_NEEDED = 3
        }

        class IMAdminSessionReq {
            constructor(properties?: IM.Console.IMAdminSessionReq.$Properties);
            tokenHash: Uint8Array;
            touch: boolean;
            static encode(message: IM.Console.IMAdminSessionReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminSessionReq;
        }

        namespace IMAdminSessionReq {
            interface $Properties {
                tokenHash: Uint8Array;
                touch: boolean;
            }
        }

        class IMAdminSessionRsp {
            constructor(properties?: IM.Console.IMAdminSessionRsp.$Properties);
            admin?: IM.Console.AdminInfo | undefined;
            sessionId?: string | undefined;
            static encode(message: IM.Console.IMAdminSessionRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminSessionRsp;
        }

        namespace IMAdminSessionRsp {
            interface $Properties {
                admin?: IM.Console.AdminInfo.$Properties | undefined;
                sessionId?: string | undefined;
            }
        }

        class IMAdminSessionsReq {
            constructor(properties?: IM.Console.IMAdminSessionsReq.$Properties);
            adminId: number;
            end: string[];
            static encode(message: IM.Console.IMAdminSessionsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminSessionsReq;
        }

        namespace IMAdminSessionsReq {
            interface $Properties {
                adminId: number;
                end?: readonly string[] | undefined;
            }
        }

        class IMAdminSessionsRsp {
            constructor(properties?: IM.Console.IMAdminSessionsRsp.$Properties);
            sessionList: IM.Console.AdminSession[];
            static encode(message: IM.Console.IMAdminSessionsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminSessionsRsp;
        }

        namespace IMAdminSessionsRsp {
            interface $Properties {
                sessionList?: readonly IM.Console.AdminSession.$Properties[] | undefined;
            }
        }

        class AdminSession {
            constructor(properties?: IM.Console.AdminSession.$Properties);
            id: string;
            address: string;
            agent: string;
            createdMs: number;
            usedMs: number;
            static encode(message: IM.Console.AdminSession.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.AdminSession;
        }

        namespace AdminSession {
            interface $Properties {
                id: string;
                address: string;
                agent: string;
                createdMs: number;
                usedMs: number;
            }
        }

        class IMAdminPasswordReq {
            constructor(properties?: IM.Console.IMAdminPasswordReq.$Properties);
            adminId: number;
            sessionId: string;
            oldPassword: string;
            newPassword: string;
            address: string;
            static encode(message: IM.Console.IMAdminPasswordReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminPasswordReq;
        }

        namespace IMAdminPasswordReq {
            interface $Properties {
                adminId: number;
                sessionId: string;
                oldPassword: string;
                newPassword: string;
                address: string;
            }
        }

        class IMAdminDoneRsp {
            constructor(properties?: IM.Console.IMAdminDoneRsp.$Properties);
            result: IM.Console.DoneResult;
            static encode(message: IM.Console.IMAdminDoneRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminDoneRsp;
        }

        namespace IMAdminDoneRsp {
            interface $Properties {
                result: IM.Console.DoneResult;
            }
        }

        enum DoneResult {
            DONE_RESULT_OK = 0,
            DONE_RESULT_WRONG_PASSWORD = 1,
            DONE_RESULT_WRONG_CODE = 2,
            DONE_RESULT_LOCKED = 3
        }

        class IMAdminTotpReq {
            constructor(properties?: IM.Console.IMAdminTotpReq.$Properties);
            adminId: number;
            step: IM.Console.TotpStep;
            password: string;
            code: string;
            address: string;
            static encode(message: IM.Console.IMAdminTotpReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminTotpReq;
        }

        namespace IMAdminTotpReq {
            interface $Properties {
                adminId: number;
                step: IM.Console.TotpStep;
                password: string;
                code: string;
                address: string;
            }
        }

        enum TotpStep {
            TOTP_STEP_BEGIN = 1,
            TOTP_STEP_CONFIRM = 2,
            TOTP_STEP_OFF = 3
        }

        class IMAdminTotpRsp {
            constructor(properties?: IM.Console.IMAdminTotpRsp.$Properties);
            result: IM.Console.DoneResult;
            uri?: string | undefined;
            static encode(message: IM.Console.IMAdminTotpRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminTotpRsp;
        }

        namespace IMAdminTotpRsp {
            interface $Properties {
                result: IM.Console.DoneResult;
                uri?: string | undefined;
            }
        }

        class IMAdminListReq {
            constructor(properties?: IM.Console.IMAdminListReq.$Properties);
            static encode(message: IM.Console.IMAdminListReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminListReq;
        }

        namespace IMAdminListReq {
            interface $Properties {
            }
        }

        class IMAdminListRsp {
            constructor(properties?: IM.Console.IMAdminListRsp.$Properties);
            adminList: IM.Console.AdminInfo[];
            static encode(message: IM.Console.IMAdminListRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminListRsp;
        }

        namespace IMAdminListRsp {
            interface $Properties {
                adminList?: readonly IM.Console.AdminInfo.$Properties[] | undefined;
            }
        }

        class IMAdminChangeReq {
            constructor(properties?: IM.Console.IMAdminChangeReq.$Properties);
            actorId: number;
            address: string;
            id?: number | undefined;
            name?: string | undefined;
            role?: string | undefined;
            disabled?: boolean | undefined;
            reset?: boolean | undefined;
            version?: number | undefined;
            static encode(message: IM.Console.IMAdminChangeReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminChangeReq;
        }

        namespace IMAdminChangeReq {
            interface $Properties {
                actorId: number;
                address: string;
                id?: number | undefined;
                name?: string | undefined;
                role?: string | undefined;
                disabled?: boolean | undefined;
                reset?: boolean | undefined;
                version?: number | undefined;
            }
        }

        class IMAdminChangeRsp {
            constructor(properties?: IM.Console.IMAdminChangeRsp.$Properties);
            result: IM.Console.ChangeResult;
            admin?: IM.Console.AdminInfo | undefined;
            password?: string | undefined;
            static encode(message: IM.Console.IMAdminChangeRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAdminChangeRsp;
        }

        namespace IMAdminChangeRsp {
            interface $Properties {
                result: IM.Console.ChangeResult;
                admin?: IM.Console.AdminInfo.$Properties | undefined;
                password?: string | undefined;
            }
        }

        enum ChangeResult {
            CHANGE_RESULT_OK = 0,
            CHANGE_RESULT_CONFLICT = 1,
            CHANGE_RESULT_NAME_TAKEN = 2,
            CHANGE_RESULT_LAST_OWNER = 3,
            CHANGE_RESULT_NOT_FOUND = 4,
            CHANGE_RESULT_NOT_ALLOWED = 5
        }

        class IMMsgServersReq {
            constructor(properties?: IM.Console.IMMsgServersReq.$Properties);
            static encode(message: IM.Console.IMMsgServersReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMMsgServersReq;
        }

        namespace IMMsgServersReq {
            interface $Properties {
            }
        }

        class IMMsgServersRsp {
            constructor(properties?: IM.Console.IMMsgServersRsp.$Properties);
            serverList: IM.Console.MsgServerInfo[];
            static encode(message: IM.Console.IMMsgServersRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMMsgServersRsp;
        }

        namespace IMMsgServersRsp {
            interface $Properties {
                serverList?: readonly IM.Console.MsgServerInfo.$Properties[] | undefined;
            }
        }

        class MsgServerInfo {
            constructor(properties?: IM.Console.MsgServerInfo.$Properties);
            name: string;
            place: string;
            connections: number;
            connectionsMax: number;
            draining: boolean;
            static encode(message: IM.Console.MsgServerInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.MsgServerInfo;
        }

        namespace MsgServerInfo {
            interface $Properties {
                name: string;
                place: string;
                connections: number;
                connectionsMax: number;
                draining: boolean;
            }
        }

        class IMWhereaboutsReq {
            constructor(properties?: IM.Console.IMWhereaboutsReq.$Properties);
            userIdList: number[];
            static encode(message: IM.Console.IMWhereaboutsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMWhereaboutsReq;
        }

        namespace IMWhereaboutsReq {
            interface $Properties {
                userIdList?: readonly number[] | undefined;
            }
        }

        class IMWhereaboutsRsp {
            constructor(properties?: IM.Console.IMWhereaboutsRsp.$Properties);
            sessionList: IM.Console.Whereabouts[];
            static encode(message: IM.Console.IMWhereaboutsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMWhereaboutsRsp;
        }

        namespace IMWhereaboutsRsp {
            interface $Properties {
                sessionList?: readonly IM.Console.Whereabouts.$Properties[] | undefined;
            }
        }

        class Whereabouts {
            constructor(properties?: IM.Console.Whereabouts.$Properties);
            userId: number;
            server: string;
            clientType: number;
            static encode(message: IM.Console.Whereabouts.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.Whereabouts;
        }

        namespace Whereabouts {
            interface $Properties {
                userId: number;
                server: string;
                clientType: number;
            }
        }

        class IMStorageStateReq {
            constructor(properties?: IM.Console.IMStorageStateReq.$Properties);
            static encode(message: IM.Console.IMStorageStateReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMStorageStateReq;
        }

        namespace IMStorageStateReq {
            interface $Properties {
            }
        }

        class IMStorageStateRsp {
            constructor(properties?: IM.Console.IMStorageStateRsp.$Properties);
            shardList: IM.Console.ShardInfo[];
            moveList: IM.Console.BucketOnItsWay[];
            epochList: IM.Console.EpochInfo[];
            masterKeyList: string[];
            problemList: string[];
            resealBuckets: number;
            resealFinished: number;
            job?: IM.Console.MoveJob | undefined;
            static encode(message: IM.Console.IMStorageStateRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMStorageStateRsp;
        }

        namespace IMStorageStateRsp {
            interface $Properties {
                shardList?: readonly IM.Console.ShardInfo.$Properties[] | undefined;
                moveList?: readonly IM.Console.BucketOnItsWay.$Properties[] | undefined;
                epochList?: readonly IM.Console.EpochInfo.$Properties[] | undefined;
                masterKeyList?: readonly string[] | undefined;
                problemList?: readonly string[] | undefined;
                resealBuckets: number;
                resealFinished: number;
                job?: IM.Console.MoveJob.$Properties | undefined;
            }
        }

        class ShardInfo {
            constructor(properties?: IM.Console.ShardInfo.$Properties);
            name: string;
            place: string;
            bucketList: number[];
            messages?: number | undefined;
            bytes?: number | undefined;
            problem?: string | undefined;
            static encode(message: IM.Console.ShardInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.ShardInfo;
        }

        namespace ShardInfo {
            interface $Properties {
                name: string;
                place: string;
                bucketList?: readonly number[] | undefined;
                messages?: number | undefined;
                bytes?: number | undefined;
                problem?: string | undefined;
            }
        }

        class BucketOnItsWay {
            constructor(properties?: IM.Console.BucketOnItsWay.$Properties);
            bucket: number;
            source: string;
            target: string;
            phase: string;
            attended: boolean;
            static encode(message: IM.Console.BucketOnItsWay.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.BucketOnItsWay;
        }

        namespace BucketOnItsWay {
            interface $Properties {
                bucket: number;
                source: string;
                target: string;
                phase: string;
                attended: boolean;
            }
        }

        class EpochInfo {
            constructor(properties?: IM.Console.EpochInfo.$Properties);
            epoch: number;
            keys: number;
            destroyed: number;
            current: number;
            createdMs: number;
            messages: number;
            static encode(message: IM.Console.EpochInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.EpochInfo;
        }

        namespace EpochInfo {
            interface $Properties {
                epoch: number;
                keys: number;
                destroyed: number;
                current: number;
                createdMs: number;
                messages: number;
            }
        }

        class MoveJob {
            constructor(properties?: IM.Console.MoveJob.$Properties);
            target: string;
            total: number;
            done: number;
            running: boolean;
            problem?: string | undefined;
            static encode(message: IM.Console.MoveJob.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.MoveJob;
        }

        namespace MoveJob {
            interface $Properties {
                target: string;
                total: number;
                done: number;
                running: boolean;
                problem?: string | undefined;
            }
        }

        class IMBeginEpochReq {
            constructor(properties?: IM.Console.IMBeginEpochReq.$Properties);
            actor: IM.Directory.Actor;
            static encode(message: IM.Console.IMBeginEpochReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMBeginEpochReq;
        }

        namespace IMBeginEpochReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
            }
        }

        class IMStorageDoneRsp {
            constructor(properties?: IM.Console.IMStorageDoneRsp.$Properties);
            count: number;
            static encode(message: IM.Console.IMStorageDoneRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMStorageDoneRsp;
        }

        namespace IMStorageDoneRsp {
            interface $Properties {
                count: number;
            }
        }

        class IMMoveBucketsReq {
            constructor(properties?: IM.Console.IMMoveBucketsReq.$Properties);
            actor: IM.Directory.Actor;
            source: string;
            target: string;
            count: number;
            static encode(message: IM.Console.IMMoveBucketsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMMoveBucketsReq;
        }

        namespace IMMoveBucketsReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                source: string;
                target: string;
                count: number;
            }
        }

        class IMTraceReq {
            constructor(properties?: IM.Console.IMTraceReq.$Properties);
            sessionType: IM.BaseDefine.SessionType;
            userId: number;
            sessionId: number;
            msgId?: number | undefined;
            sendId?: Uint8Array | undefined;
            static encode(message: IM.Console.IMTraceReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMTraceReq;
        }

        namespace IMTraceReq {
            interface $Properties {
                sessionType: IM.BaseDefine.SessionType;
                userId: number;
                sessionId: number;
                msgId?: number | undefined;
                sendId?: Uint8Array | undefined;
            }
        }

        class IMTraceRsp {
            constructor(properties?: IM.Console.IMTraceRsp.$Properties);
            message?: IM.Console.TracedMessage | undefined;
            effectList: IM.Console.TraceEffect[];
            readerList: IM.Console.TraceReader[];
            placeList: IM.Console.TracePlace[];
            cutOff?: boolean | undefined;
            static encode(message: IM.Console.IMTraceRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMTraceRsp;
        }

        namespace IMTraceRsp {
            interface $Properties {
                message?: IM.Console.TracedMessage.$Properties | undefined;
                effectList?: readonly IM.Console.TraceEffect.$Properties[] | undefined;
                readerList?: readonly IM.Console.TraceReader.$Properties[] | undefined;
                placeList?: readonly IM.Console.TracePlace.$Properties[] | undefined;
                cutOff?: boolean | undefined;
            }
        }

        class TracePlace {
            constructor(properties?: IM.Console.TracePlace.$Properties);
            conversationId: string;
            msgId: number;
            static encode(message: IM.Console.TracePlace.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.TracePlace;
        }

        namespace TracePlace {
            interface $Properties {
                conversationId: string;
                msgId: number;
            }
        }

        class TracedMessage {
            constructor(properties?: IM.Console.TracedMessage.$Properties);
            msgId: number;
            senderId: number;
            msgType: number;
            createTimeMs: number;
            size: number;
            keyId: number;
            sendId: Uint8Array;
            bucket: number;
            shard: string;
            head: number;
            static encode(message: IM.Console.TracedMessage.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.TracedMessage;
        }

        namespace TracedMessage {
            interface $Properties {
                msgId: number;
                senderId: number;
                msgType: number;
                createTimeMs: number;
                size: number;
                keyId: number;
                sendId: Uint8Array;
                bucket: number;
                shard: string;
                head: number;
            }
        }

        class TraceEffect {
            constructor(properties?: IM.Console.TraceEffect.$Properties);
            consumer: string;
            waiting: boolean;
            static encode(message: IM.Console.TraceEffect.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.TraceEffect;
        }

        namespace TraceEffect {
            interface $Properties {
                consumer: string;
                waiting: boolean;
            }
        }

        class TraceReader {
            constructor(properties?: IM.Console.TraceReader.$Properties);
            userId: number;
            readId: number;
            static encode(message: IM.Console.TraceReader.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.TraceReader;
        }

        namespace TraceReader {
            interface $Properties {
                userId: number;
                readId: number;
            }
        }

        class Announcement {
            constructor(properties?: IM.Console.Announcement.$Properties);
            id: number;
            fromUserId: number;
            audience: IM.Console.Audience;
            audienceId?: number | undefined;
            msgData: Uint8Array;
            byKind: string;
            byName: string;
            createdMs: number;
            endedMs?: number | undefined;
            stoppedBy?: string | undefined;
            receivers: number;
            sent: number;
            failed: number;
            failureList: IM.Console.AnnounceFailure[];
            static encode(message: IM.Console.Announcement.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.Announcement;
        }

        namespace Announcement {
            interface $Properties {
                id: number;
                fromUserId: number;
                audience: IM.Console.Audience;
                audienceId?: number | undefined;
                msgData: Uint8Array;
                byKind: string;
                byName: string;
                createdMs: number;
                endedMs?: number | undefined;
                stoppedBy?: string | undefined;
                receivers: number;
                sent: number;
                failed: number;
                failureList?: readonly IM.Console.AnnounceFailure.$Properties[] | undefined;
            }
        }

        enum Audience {
            AUDIENCE_EVERYBODY = 1,
            AUDIENCE_DEPARTMENT = 2,
            AUDIENCE_MEMBERS = 3,
            AUDIENCE_GROUP = 4
        }

        class AnnounceFailure {
            constructor(properties?: IM.Console.AnnounceFailure.$Properties);
            userId: number;
            code: string;
            static encode(message: IM.Console.AnnounceFailure.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.AnnounceFailure;
        }

        namespace AnnounceFailure {
            interface $Properties {
                userId: number;
                code: string;
            }
        }

        class IMAnnounceReq {
            constructor(properties?: IM.Console.IMAnnounceReq.$Properties);
            actor: IM.Directory.Actor;
            fromUserId: number;
            audience: IM.Console.Audience;
            audienceId?: number | undefined;
            msgType: IM.BaseDefine.MsgType;
            msgData: Uint8Array;
            requestId?: Uint8Array | undefined;
            static encode(message: IM.Console.IMAnnounceReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAnnounceReq;
        }

        namespace IMAnnounceReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                fromUserId: number;
                audience: IM.Console.Audience;
                audienceId?: number | undefined;
                msgType: IM.BaseDefine.MsgType;
                msgData: Uint8Array;
                requestId?: Uint8Array | undefined;
            }
        }

        class IMAnnounceRsp {
            constructor(properties?: IM.Console.IMAnnounceRsp.$Properties);
            announcement: IM.Console.Announcement;
            static encode(message: IM.Console.IMAnnounceRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAnnounceRsp;
        }

        namespace IMAnnounceRsp {
            interface $Properties {
                announcement: IM.Console.Announcement.$Properties;
            }
        }

        class IMAnnouncementsReq {
            constructor(properties?: IM.Console.IMAnnouncementsReq.$Properties);
            limit: number;
            id?: number | undefined;
            stop?: IM.Directory.Actor | undefined;
            static encode(message: IM.Console.IMAnnouncementsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAnnouncementsReq;
        }

        namespace IMAnnouncementsReq {
            interface $Properties {
                limit: number;
                id?: number | undefined;
                stop?: IM.Directory.Actor.$Properties | undefined;
            }
        }

        class IMAnnouncementsRsp {
            constructor(properties?: IM.Console.IMAnnouncementsRsp.$Properties);
            announcementList: IM.Console.Announcement[];
            static encode(message: IM.Console.IMAnnouncementsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAnnouncementsRsp;
        }

        namespace IMAnnouncementsRsp {
            interface $Properties {
                announcementList?: readonly IM.Console.Announcement.$Properties[] | undefined;
            }
        }

        class IMAnnounceWorkReq {
            constructor(properties?: IM.Console.IMAnnounceWorkReq.$Properties);
            done?: IM.Console.AnnounceDone | undefined;
            leaseMs: number;
            static encode(message: IM.Console.IMAnnounceWorkReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAnnounceWorkReq;
        }

        namespace IMAnnounceWorkReq {
            interface $Properties {
                done?: IM.Console.AnnounceDone.$Properties | undefined;
                leaseMs: number;
            }
        }

        class AnnounceDone {
            constructor(properties?: IM.Console.AnnounceDone.$Properties);
            id: number;
            claim: Uint8Array;
            upTo: number;
            sent: number;
            failureList: IM.Console.AnnounceFailure[];
            static encode(message: IM.Console.AnnounceDone.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.AnnounceDone;
        }

        namespace AnnounceDone {
            interface $Properties {
                id: number;
                claim: Uint8Array;
                upTo: number;
                sent: number;
                failureList?: readonly IM.Console.AnnounceFailure.$Properties[] | undefined;
            }
        }

        class IMAnnounceWorkRsp {
            constructor(properties?: IM.Console.IMAnnounceWorkRsp.$Properties);
            work?: IM.Console.AnnounceWork | undefined;
            static encode(message: IM.Console.IMAnnounceWorkRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMAnnounceWorkRsp;
        }

        namespace IMAnnounceWorkRsp {
            interface $Properties {
                work?: IM.Console.AnnounceWork.$Properties | undefined;
            }
        }

        class AnnounceWork {
            constructor(properties?: IM.Console.AnnounceWork.$Properties);
            id: number;
            claim: Uint8Array;
            fromUserId: number;
            msgType: IM.BaseDefine.MsgType;
            msgData: Uint8Array;
            receiverList: number[];
            seed: Uint8Array;
            static encode(message: IM.Console.AnnounceWork.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.AnnounceWork;
        }

        namespace AnnounceWork {
            interface $Properties {
                id: number;
                claim: Uint8Array;
                fromUserId: number;
                msgType: IM.BaseDefine.MsgType;
                msgData: Uint8Array;
                receiverList?: readonly number[] | undefined;
                seed: Uint8Array;
            }
        }

        class IMExportsReq {
            constructor(properties?: IM.Console.IMExportsReq.$Properties);
            tokenHash: Uint8Array;
            address: string;
            wish?: IM.Console.ExportWish | undefined;
            id?: number | undefined;
            step?: IM.Console.ExportStep | undefined;
            file?: IM.Console.ExportFile | undefined;
            static encode(message: IM.Console.IMExportsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMExportsReq;
        }

        namespace IMExportsReq {
            interface $Properties {
                tokenHash: Uint8Array;
                address: string;
                wish?: IM.Console.ExportWish.$Properties | undefined;
                id?: number | undefined;
                step?: IM.Console.ExportStep | undefined;
                file?: IM.Console.ExportFile.$Properties | undefined;
            }
        }

        class ExportWish {
            constructor(properties?: IM.Console.ExportWish.$Properties);
            userIdList: number[];
            groupIdList: number[];
            withGroups: boolean;
            fromMs: number;
            toMs: number;
            reason: string;
            caseNumber: string;
            static encode(message: IM.Console.ExportWish.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.ExportWish;
        }

        namespace ExportWish {
            interface $Properties {
                userIdList?: readonly number[] | undefined;
                groupIdList?: readonly number[] | undefined;
                withGroups: boolean;
                fromMs: number;
                toMs: number;
                reason: string;
                caseNumber: string;
            }
        }

        enum ExportStep {
            EXPORT_STEP_APPROVE = 1,
            EXPORT_STEP_REFUSE = 2,
            EXPORT_STEP_CANCEL = 3,
            EXPORT_STEP_BEGIN = 4,
            EXPORT_STEP_FINISH = 5,
            EXPORT_STEP_BREAK_OFF = 6
        }

        class ExportFile {
            constructor(properties?: IM.Console.ExportFile.$Properties);
            messages: number;
            bytes: number;
            sha256: Uint8Array;
            static encode(message: IM.Console.ExportFile.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.ExportFile;
        }

        namespace ExportFile {
            interface $Properties {
                messages: number;
                bytes: number;
                sha256: Uint8Array;
            }
        }

        class IMExportsRsp {
            constructor(properties?: IM.Console.IMExportsRsp.$Properties);
            exportList: IM.Console.ExportInfo[];
            static encode(message: IM.Console.IMExportsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMExportsRsp;
        }

        namespace IMExportsRsp {
            interface $Properties {
                exportList?: readonly IM.Console.ExportInfo.$Properties[] | undefined;
            }
        }

        class ExportInfo {
            constructor(properties?: IM.Console.ExportInfo.$Properties);
            id: number;
            wish: IM.Console.ExportWish;
            askedBy: string;
            askedMs: number;
            state: string;
            decidedBy?: string | undefined;
            messages: number;
            file?: IM.Console.ExportFile | undefined;
            endedMs?: number | undefined;
            own: boolean;
            static encode(message: IM.Console.ExportInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.ExportInfo;
        }

        namespace ExportInfo {
            interface $Properties {
                id: number;
                wish: IM.Console.ExportWish.$Properties;
                askedBy: string;
                askedMs: number;
                state: string;
                decidedBy?: string | undefined;
                messages: number;
                file?: IM.Console.ExportFile.$Properties | undefined;
                endedMs?: number | undefined;
                own: boolean;
            }
        }

        class IMExportPageReq {
            constructor(properties?: IM.Console.IMExportPageReq.$Properties);
            tokenHash: Uint8Array;
            id: number;
            after?: IM.Cluster.MissedPlace | undefined;
            taken: number;
            static encode(message: IM.Console.IMExportPageReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMExportPageReq;
        }

        namespace IMExportPageReq {
            interface $Properties {
                tokenHash: Uint8Array;
                id: number;
                after?: IM.Cluster.MissedPlace.$Properties | undefined;
                taken: number;
            }
        }

        class IMExportPageRsp {
            constructor(properties?: IM.Console.IMExportPageRsp.$Properties);
            messageList: IM.Cluster.StoredMessage[];
            next?: IM.Cluster.MissedPlace | undefined;
            static encode(message: IM.Console.IMExportPageRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMExportPageRsp;
        }

        namespace IMExportPageRsp {
            interface $Properties {
                messageList?: readonly IM.Cluster.StoredMessage.$Properties[] | undefined;
                next?: IM.Cluster.MissedPlace.$Properties | undefined;
            }
        }

        class IMFilesStateReq {
            constructor(properties?: IM.Console.IMFilesStateReq.$Properties);
            uploadAgeMs: number;
            ownersMax: number;
            static encode(message: IM.Console.IMFilesStateReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMFilesStateReq;
        }

        namespace IMFilesStateReq {
            interface $Properties {
                uploadAgeMs: number;
                ownersMax: number;
            }
        }

        class IMFilesStateRsp {
            constructor(properties?: IM.Console.IMFilesStateRsp.$Properties);
            blobs: number;
            bytes: number;
            uploads: number;
            countedBytes: number;
            kindList: IM.Console.FileKindState[];
            expiredFiles: number;
            staleUploads: number;
            unreferencedBlobs: number;
            unreferencedBytes: number;
            removing: number;
            ownerList: IM.Console.FileOwner[];
            static encode(message: IM.Console.IMFilesStateRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMFilesStateRsp;
        }

        namespace IMFilesStateRsp {
            interface $Properties {
                blobs: number;
                bytes: number;
                uploads: number;
                countedBytes: number;
                kindList?: readonly IM.Console.FileKindState.$Properties[] | undefined;
                expiredFiles: number;
                staleUploads: number;
                unreferencedBlobs: number;
                unreferencedBytes: number;
                removing: number;
                ownerList?: readonly IM.Console.FileOwner.$Properties[] | undefined;
            }
        }

        class FileKindState {
            constructor(properties?: IM.Console.FileKindState.$Properties);
            kind: string;
            files: number;
            bytes: number;
            days?: number | undefined;
            static encode(message: IM.Console.FileKindState.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.FileKindState;
        }

        namespace FileKindState {
            interface $Properties {
                kind: string;
                files: number;
                bytes: number;
                days?: number | undefined;
            }
        }

        class FileOwner {
            constructor(properties?: IM.Console.FileOwner.$Properties);
            userId: number;
            nick: string;
            files: number;
            bytes: number;
            static encode(message: IM.Console.FileOwner.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.FileOwner;
        }

        namespace FileOwner {
            interface $Properties {
                userId: number;
                nick: string;
                files: number;
                bytes: number;
            }
        }

        class IMFileServerReq {
            constructor(properties?: IM.Console.IMFileServerReq.$Properties);
            static encode(message: IM.Console.IMFileServerReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMFileServerReq;
        }

        namespace IMFileServerReq {
            interface $Properties {
            }
        }

        class IMFileServerRsp {
            constructor(properties?: IM.Console.IMFileServerRsp.$Properties);
            name: string;
            driver: string;
            place: string;
            freeBytes?: number | undefined;
            uploadAgeMs: number;
            userBytesMax: number;
            totalBytesMax: number;
            scanner: string;
            scanFailure: string;
            scanned: number;
            scanRefused: number;
            scanFailed: number;
            removal?: IM.Console.RemovalRun | undefined;
            static encode(message: IM.Console.IMFileServerRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMFileServerRsp;
        }

        namespace IMFileServerRsp {
            interface $Properties {
                name: string;
                driver: string;
                place: string;
                freeBytes?: number | undefined;
                uploadAgeMs: number;
                userBytesMax: number;
                totalBytesMax: number;
                scanner: string;
                scanFailure: string;
                scanned: number;
                scanRefused: number;
                scanFailed: number;
                removal?: IM.Console.RemovalRun.$Properties | undefined;
            }
        }

        class RemovalRun {
            constructor(properties?: IM.Console.RemovalRun.$Properties);
            dryRun: boolean;
            startedMs: number;
            endedMs?: number | undefined;
            removed: number;
            orphans: number;
            problem?: string | undefined;
            static encode(message: IM.Console.RemovalRun.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.RemovalRun;
        }

        namespace RemovalRun {
            interface $Properties {
                dryRun: boolean;
                startedMs: number;
                endedMs?: number | undefined;
                removed: number;
                orphans: number;
                problem?: string | undefined;
            }
        }

        class IMRemovalReq {
            constructor(properties?: IM.Console.IMRemovalReq.$Properties);
            dryRun: boolean;
            static encode(message: IM.Console.IMRemovalReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMRemovalReq;
        }

        namespace IMRemovalReq {
            interface $Properties {
                dryRun: boolean;
            }
        }

        class IMRemovalRsp {
            constructor(properties?: IM.Console.IMRemovalRsp.$Properties);
            static encode(message: IM.Console.IMRemovalRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Console.IMRemovalRsp;
        }

        namespace IMRemovalRsp {
            interface $Properties {
            }
        }
    }

    namespace Directory {

        class Actor {
            constructor(properties?: IM.Directory.Actor.$Properties);
            kind: string;
            name: string;
            address?: string | undefined;
            static encode(message: IM.Directory.Actor.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.Actor;
        }

        namespace Actor {
            interface $Properties {
                kind: string;
                name: string;
                address?: string | undefined;
            }
        }

        class Person {
            constructor(properties?: IM.Directory.Person.$Properties);
            userId: number;
            name: string;
            nick: string;
            domain: string;
            sex: number;
            phone: string;
            email: string;
            avatar: string;
            departmentId: number;
            status: number;
            signInfo: string;
            version: number;
            createdS: number;
            source?: string | undefined;
            static encode(message: IM.Directory.Person.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.Person;
        }

        namespace Person {
            interface $Properties {
                userId: number;
                name: string;
                nick: string;
                domain: string;
                sex: number;
                phone: string;
                email: string;
                avatar: string;
                departmentId: number;
                status: number;
                signInfo: string;
                version: number;
                createdS: number;
                source?: string | undefined;
            }
        }

        class IMPeopleReq {
            constructor(properties?: IM.Directory.IMPeopleReq.$Properties);
            search?: string | undefined;
            departmentId?: number | undefined;
            statusList: number[];
            byName?: boolean | undefined;
            after?: string | undefined;
            limit: number;
            count?: boolean | undefined;
            userIdList: number[];
            name?: string | undefined;
            static encode(message: IM.Directory.IMPeopleReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMPeopleReq;
        }

        namespace IMPeopleReq {
            interface $Properties {
                search?: string | undefined;
                departmentId?: number | undefined;
                statusList?: readonly number[] | undefined;
                byName?: boolean | undefined;
                after?: string | undefined;
                limit: number;
                count?: boolean | undefined;
                userIdList?: readonly number[] | undefined;
                name?: string | undefined;
            }
        }

        class IMPeopleRsp {
            constructor(properties?: IM.Directory.IMPeopleRsp.$Properties);
            personList: IM.Directory.Person[];
            next?: string | undefined;
            total?: number | undefined;
            static encode(message: IM.Directory.IMPeopleRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMPeopleRsp;
        }

        namespace IMPeopleRsp {
            interface $Properties {
                personList?: readonly IM.Directory.Person.$Properties[] | undefined;
                next?: string | undefined;
                total?: number | undefined;
            }
        }

        class PersonFields {
            constructor(properties?: IM.Directory.PersonFields.$Properties);
            name?: string | undefined;
            nick?: string | undefined;
            domain?: string | undefined;
            sex?: number | undefined;
            phone?: string | undefined;
            email?: string | undefined;
            avatar?: string | undefined;
            departmentId?: number | undefined;
            status?: number | undefined;
            signInfo?: string | undefined;
            passwordMd5?: string | undefined;
            static encode(message: IM.Directory.PersonFields.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.PersonFields;
        }

        namespace PersonFields {
            interface $Properties {
                name?: string | undefined;
                nick?: string | undefined;
                domain?: string | undefined;
                sex?: number | undefined;
                phone?: string | undefined;
                email?: string | undefined;
                avatar?: string | undefined;
                departmentId?: number | undefined;
                status?: number | undefined;
                signInfo?: string | undefined;
                passwordMd5?: string | undefined;
            }
        }

        class IMChangePersonReq {
            constructor(properties?: IM.Directory.IMChangePersonReq.$Properties);
            actor: IM.Directory.Actor;
            userId?: number | undefined;
            expectedVersion?: number | undefined;
            fields: IM.Directory.PersonFields;
            requestId?: Uint8Array | undefined;
            static encode(message: IM.Directory.IMChangePersonReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMChangePersonReq;
        }

        namespace IMChangePersonReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                userId?: number | undefined;
                expectedVersion?: number | undefined;
                fields: IM.Directory.PersonFields.$Properties;
                requestId?: Uint8Array | undefined;
            }
        }

        class IMChangePersonRsp {
            constructor(properties?: IM.Directory.IMChangePersonRsp.$Properties);
            person: IM.Directory.Person;
            static encode(message: IM.Directory.IMChangePersonRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMChangePersonRsp;
        }

        namespace IMChangePersonRsp {
            interface $Properties {
                person: IM.Directory.Person.$Properties;
            }
        }

        class IMImportPeopleReq {
            constructor(properties?: IM.Directory.IMImportPeopleReq.$Properties);
            actor: IM.Directory.Actor;
            dryRun: boolean;
            update: boolean;
            rowList: IM.Directory.PersonFields[];
            static encode(message: IM.Directory.IMImportPeopleReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMImportPeopleReq;
        }

        namespace IMImportPeopleReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                dryRun: boolean;
                update: boolean;
                rowList?: readonly IM.Directory.PersonFields.$Properties[] | undefined;
            }
        }

        class IMImportPeopleRsp {
            constructor(properties?: IM.Directory.IMImportPeopleRsp.$Properties);
            outcomeList: IM.Directory.ImportOutcome[];
            static encode(message: IM.Directory.IMImportPeopleRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMImportPeopleRsp;
        }

        namespace IMImportPeopleRsp {
            interface $Properties {
                outcomeList?: readonly IM.Directory.ImportOutcome.$Properties[] | undefined;
            }
        }

        class ImportOutcome {
            constructor(properties?: IM.Directory.ImportOutcome.$Properties);
            outcome: string;
            userId?: number | undefined;
            code?: string | undefined;
            detail?: string | undefined;
            static encode(message: IM.Directory.ImportOutcome.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.ImportOutcome;
        }

        namespace ImportOutcome {
            interface $Properties {
                outcome: string;
                userId?: number | undefined;
                code?: string | undefined;
                detail?: string | undefined;
            }
        }

        class DepartmentNode {
            constructor(properties?: IM.Directory.DepartmentNode.$Properties);
            departmentId: number;
            name: string;
            parentId: number;
            priority: number;
            version: number;
            people: number;
            static encode(message: IM.Directory.DepartmentNode.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.DepartmentNode;
        }

        namespace DepartmentNode {
            interface $Properties {
                departmentId: number;
                name: string;
                parentId: number;
                priority: number;
                version: number;
                people: number;
            }
        }

        class IMDepartmentTreeReq {
            constructor(properties?: IM.Directory.IMDepartmentTreeReq.$Properties);
            static encode(message: IM.Directory.IMDepartmentTreeReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMDepartmentTreeReq;
        }

        namespace IMDepartmentTreeReq {
            interface $Properties {
            }
        }

        class IMDepartmentTreeRsp {
            constructor(properties?: IM.Directory.IMDepartmentTreeRsp.$Properties);
            departmentList: IM.Directory.DepartmentNode[];
            static encode(message: IM.Directory.IMDepartmentTreeRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMDepartmentTreeRsp;
        }

        namespace IMDepartmentTreeRsp {
            interface $Properties {
                departmentList?: readonly IM.Directory.DepartmentNode.$Properties[] | undefined;
            }
        }

        class IMChangeDepartmentReq {
            constructor(properties?: IM.Directory.IMChangeDepartmentReq.$Properties);
            actor: IM.Directory.Actor;
            departmentId?: number | undefined;
            expectedVersion?: number | undefined;
            name?: string | undefined;
            parentId?: number | undefined;
            priority?: number | undefined;
            remove?: boolean | undefined;
            requestId?: Uint8Array | undefined;
            static encode(message: IM.Directory.IMChangeDepartmentReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMChangeDepartmentReq;
        }

        namespace IMChangeDepartmentReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                departmentId?: number | undefined;
                expectedVersion?: number | undefined;
                name?: string | undefined;
                parentId?: number | undefined;
                priority?: number | undefined;
                remove?: boolean | undefined;
                requestId?: Uint8Array | undefined;
            }
        }

        class IMChangeDepartmentRsp {
            constructor(properties?: IM.Directory.IMChangeDepartmentRsp.$Properties);
            department: IM.Directory.DepartmentNode;
            static encode(message: IM.Directory.IMChangeDepartmentRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMChangeDepartmentRsp;
        }

        namespace IMChangeDepartmentRsp {
            interface $Properties {
                department: IM.Directory.DepartmentNode.$Properties;
            }
        }

        class GroupSummary {
            constructor(properties?: IM.Directory.GroupSummary.$Properties);
            groupId: number;
            name: string;
            avatar: string;
            creatorId: number;
            groupType: IM.BaseDefine.GroupType;
            version: number;
            members: number;
            deleted: boolean;
            createdS: number;
            static encode(message: IM.Directory.GroupSummary.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.GroupSummary;
        }

        namespace GroupSummary {
            interface $Properties {
                groupId: number;
                name: string;
                avatar: string;
                creatorId: number;
                groupType: IM.BaseDefine.GroupType;
                version: number;
                members: number;
                deleted: boolean;
                createdS: number;
            }
        }

        class IMGroupsReq {
            constructor(properties?: IM.Directory.IMGroupsReq.$Properties);
            search?: string | undefined;
            userId?: number | undefined;
            groupType?: IM.BaseDefine.GroupType | undefined;
            withDeleted?: boolean | undefined;
            after?: string | undefined;
            limit: number;
            count?: boolean | undefined;
            groupIdList: number[];
            static encode(message: IM.Directory.IMGroupsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMGroupsReq;
        }

        namespace IMGroupsReq {
            interface $Properties {
                search?: string | undefined;
                userId?: number | undefined;
                groupType?: IM.BaseDefine.GroupType | undefined;
                withDeleted?: boolean | undefined;
                after?: string | undefined;
                limit: number;
                count?: boolean | undefined;
                groupIdList?: readonly number[] | undefined;
            }
        }

        class IMGroupsRsp {
            constructor(properties?: IM.Directory.IMGroupsRsp.$Properties);
            groupList: IM.Directory.GroupSummary[];
            next?: string | undefined;
            total?: number | undefined;
            static encode(message: IM.Directory.IMGroupsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMGroupsRsp;
        }

        namespace IMGroupsRsp {
            interface $Properties {
                groupList?: readonly IM.Directory.GroupSummary.$Properties[] | undefined;
                next?: string | undefined;
                total?: number | undefined;
            }
        }

        class IMGroupMembersReq {
            constructor(properties?: IM.Directory.IMGroupMembersReq.$Properties);
            groupId: number;
            static encode(message: IM.Directory.IMGroupMembersReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMGroupMembersReq;
        }

        namespace IMGroupMembersReq {
            interface $Properties {
                groupId: number;
            }
        }

        class IMGroupMembersRsp {
            constructor(properties?: IM.Directory.IMGroupMembersRsp.$Properties);
            group: IM.Directory.GroupSummary;
            memberList: IM.Directory.Person[];
            static encode(message: IM.Directory.IMGroupMembersRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMGroupMembersRsp;
        }

        namespace IMGroupMembersRsp {
            interface $Properties {
                group: IM.Directory.GroupSummary.$Properties;
                memberList?: readonly IM.Directory.Person.$Properties[] | undefined;
            }
        }

        class IMChangeGroupReq {
            constructor(properties?: IM.Directory.IMChangeGroupReq.$Properties);
            actor: IM.Directory.Actor;
            groupId?: number | undefined;
            expectedVersion?: number | undefined;
            name?: string | undefined;
            avatar?: string | undefined;
            groupType?: IM.BaseDefine.GroupType | undefined;
            creatorId?: number | undefined;
            addList: number[];
            removeList: number[];
            disband?: boolean | undefined;
            requestId?: Uint8Array | undefined;
            static encode(message: IM.Directory.IMChangeGroupReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMChangeGroupReq;
        }

        namespace IMChangeGroupReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                groupId?: number | undefined;
                expectedVersion?: number | undefined;
                name?: string | undefined;
                avatar?: string | undefined;
                groupType?: IM.BaseDefine.GroupType | undefined;
                creatorId?: number | undefined;
                addList?: readonly number[] | undefined;
                removeList?: readonly number[] | undefined;
                disband?: boolean | undefined;
                requestId?: Uint8Array | undefined;
            }
        }

        class IMChangeGroupRsp {
            constructor(properties?: IM.Directory.IMChangeGroupRsp.$Properties);
            group: IM.Directory.GroupSummary;
            addedList: number[];
            removedList: number[];
            static encode(message: IM.Directory.IMChangeGroupRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMChangeGroupRsp;
        }

        namespace IMChangeGroupRsp {
            interface $Properties {
                group: IM.Directory.GroupSummary.$Properties;
                addedList?: readonly number[] | undefined;
                removedList?: readonly number[] | undefined;
            }
        }

        class IMEndSessionsReq {
            constructor(properties?: IM.Directory.IMEndSessionsReq.$Properties);
            actor: IM.Directory.Actor;
            userId: number;
            deviceClass?: number | undefined;
            forgetToken?: boolean | undefined;
            static encode(message: IM.Directory.IMEndSessionsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMEndSessionsReq;
        }

        namespace IMEndSessionsReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                userId: number;
                deviceClass?: number | undefined;
                forgetToken?: boolean | undefined;
            }
        }

        class IMEndSessionsRsp {
            constructor(properties?: IM.Directory.IMEndSessionsRsp.$Properties);
            static encode(message: IM.Directory.IMEndSessionsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMEndSessionsRsp;
        }

        namespace IMEndSessionsRsp {
            interface $Properties {
            }
        }

        class IMUserDevicesReq {
            constructor(properties?: IM.Directory.IMUserDevicesReq.$Properties);
            userId: number;
            static encode(message: IM.Directory.IMUserDevicesReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMUserDevicesReq;
        }

        namespace IMUserDevicesReq {
            interface $Properties {
                userId: number;
            }
        }

        class IMUserDevicesRsp {
            constructor(properties?: IM.Directory.IMUserDevicesRsp.$Properties);
            deviceList: IM.BaseDefine.DeviceInfo[];
            static encode(message: IM.Directory.IMUserDevicesRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMUserDevicesRsp;
        }

        namespace IMUserDevicesRsp {
            interface $Properties {
                deviceList?: readonly IM.BaseDefine.DeviceInfo.$Properties[] | undefined;
            }
        }

        class IMRemoveDeviceReq {
            constructor(properties?: IM.Directory.IMRemoveDeviceReq.$Properties);
            actor: IM.Directory.Actor;
            userId: number;
            deviceId: string;
            static encode(message: IM.Directory.IMRemoveDeviceReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMRemoveDeviceReq;
        }

        namespace IMRemoveDeviceReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                userId: number;
                deviceId: string;
            }
        }

        class IMRemoveDeviceRsp {
            constructor(properties?: IM.Directory.IMRemoveDeviceRsp.$Properties);
            removed: boolean;
            static encode(message: IM.Directory.IMRemoveDeviceRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMRemoveDeviceRsp;
        }

        namespace IMRemoveDeviceRsp {
            interface $Properties {
                removed: boolean;
            }
        }

        class IMAuditReq {
            constructor(properties?: IM.Directory.IMAuditReq.$Properties);
            beforeId?: number | undefined;
            limit: number;
            subject?: string | undefined;
            actorName?: string | undefined;
            action?: string | undefined;
            static encode(message: IM.Directory.IMAuditReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMAuditReq;
        }

        namespace IMAuditReq {
            interface $Properties {
                beforeId?: number | undefined;
                limit: number;
                subject?: string | undefined;
                actorName?: string | undefined;
                action?: string | undefined;
            }
        }

        class IMAuditRsp {
            constructor(properties?: IM.Directory.IMAuditRsp.$Properties);
            rowList: IM.Directory.AuditRow[];
            next?: number | undefined;
            static encode(message: IM.Directory.IMAuditRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMAuditRsp;
        }

        namespace IMAuditRsp {
            interface $Properties {
                rowList?: readonly IM.Directory.AuditRow.$Properties[] | undefined;
                next?: number | undefined;
            }
        }

        class AuditRow {
            constructor(properties?: IM.Directory.AuditRow.$Properties);
            id: number;
            atMs: number;
            actor: IM.Directory.Actor;
            action: string;
            subject: string;
            before?: string | undefined;
            after?: string | undefined;
            static encode(message: IM.Directory.AuditRow.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.AuditRow;
        }

        namespace AuditRow {
            interface $Properties {
                id: number;
                atMs: number;
                actor: IM.Directory.Actor.$Properties;
                action: string;
                subject: string;
                before?: string | undefined;
                after?: string | undefined;
            }
        }

        class IMVerifyAuditReq {
            constructor(properties?: IM.Directory.IMVerifyAuditReq.$Properties);
            afterId: number;
            static encode(message: IM.Directory.IMVerifyAuditReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMVerifyAuditReq;
        }

        namespace IMVerifyAuditReq {
            interface $Properties {
                afterId: number;
            }
        }

        class IMVerifyAuditRsp {
            constructor(properties?: IM.Directory.IMVerifyAuditRsp.$Properties);
            checkedId: number;
            done: boolean;
            brokenId?: number | undefined;
            static encode(message: IM.Directory.IMVerifyAuditRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMVerifyAuditRsp;
        }

        namespace IMVerifyAuditRsp {
            interface $Properties {
                checkedId: number;
                done: boolean;
                brokenId?: number | undefined;
            }
        }

        class IMSettingsReq {
            constructor(properties?: IM.Directory.IMSettingsReq.$Properties);
            prefix: string;
            static encode(message: IM.Directory.IMSettingsReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMSettingsReq;
        }

        namespace IMSettingsReq {
            interface $Properties {
                prefix: string;
            }
        }

        class IMSettingsRsp {
            constructor(properties?: IM.Directory.IMSettingsRsp.$Properties);
            settingList: IM.Directory.SettingRow[];
            static encode(message: IM.Directory.IMSettingsRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMSettingsRsp;
        }

        namespace IMSettingsRsp {
            interface $Properties {
                settingList?: readonly IM.Directory.SettingRow.$Properties[] | undefined;
            }
        }

        class SettingRow {
            constructor(properties?: IM.Directory.SettingRow.$Properties);
            name: string;
            value: string;
            version: number;
            static encode(message: IM.Directory.SettingRow.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.SettingRow;
        }

        namespace SettingRow {
            interface $Properties {
                name: string;
                value: string;
                version: number;
            }
        }

        class IMChangeSettingReq {
            constructor(properties?: IM.Directory.IMChangeSettingReq.$Properties);
            actor: IM.Directory.Actor;
            name: string;
            value?: string | undefined;
            expectedVersion?: number | undefined;
            static encode(message: IM.Directory.IMChangeSettingReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMChangeSettingReq;
        }

        namespace IMChangeSettingReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                name: string;
                value?: string | undefined;
                expectedVersion?: number | undefined;
            }
        }

        class IMChangeSettingRsp {
            constructor(properties?: IM.Directory.IMChangeSettingRsp.$Properties);
            setting?: IM.Directory.SettingRow | undefined;
            static encode(message: IM.Directory.IMChangeSettingRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMChangeSettingRsp;
        }

        namespace IMChangeSettingRsp {
            interface $Properties {
                setting?: IM.Directory.SettingRow.$Properties | undefined;
            }
        }

        class IMNoteAuditReq {
            constructor(properties?: IM.Directory.IMNoteAuditReq.$Properties);
            actor: IM.Directory.Actor;
            action: string;
            subject: string;
            before?: string | undefined;
            after?: string | undefined;
            static encode(message: IM.Directory.IMNoteAuditReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMNoteAuditReq;
        }

        namespace IMNoteAuditReq {
            interface $Properties {
                actor: IM.Directory.Actor.$Properties;
                action: string;
                subject: string;
                before?: string | undefined;
                after?: string | undefined;
            }
        }

        class IMNoteAuditRsp {
            constructor(properties?: IM.Directory.IMNoteAuditRsp.$Properties);
            id: number;
            static encode(message: IM.Directory.IMNoteAuditRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMNoteAuditRsp;
        }

        namespace IMNoteAuditRsp {
            interface $Properties {
                id: number;
            }
        }

        class IMDirectoryChanged {
            constructor(properties?: IM.Directory.IMDirectoryChanged.$Properties);
            endedUserList: number[];
            onlyClass?: number | undefined;
            groupList: IM.Directory.GroupChange[];
            profileList: IM.Directory.ProfileChange[];
            usersStamp?: number | undefined;
            departmentsStamp?: number | undefined;
            endedDeviceList: IM.Directory.EndedDevice[];
            static encode(message: IM.Directory.IMDirectoryChanged.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.IMDirectoryChanged;
        }

        namespace IMDirectoryChanged {
            interface $Properties {
                endedUserList?: readonly number[] | undefined;
                onlyClass?: number | undefined;
                groupList?: readonly IM.Directory.GroupChange.$Properties[] | undefined;
                profileList?: readonly IM.Directory.ProfileChange.$Properties[] | undefined;
                usersStamp?: number | undefined;
                departmentsStamp?: number | undefined;
                endedDeviceList?: readonly IM.Directory.EndedDevice.$Properties[] | undefined;
            }
        }

        class EndedDevice {
            constructor(properties?: IM.Directory.EndedDevice.$Properties);
            userId: number;
            deviceId: string;
            static encode(message: IM.Directory.EndedDevice.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.EndedDevice;
        }

        namespace EndedDevice {
            interface $Properties {
                userId: number;
                deviceId: string;
            }
        }

        class GroupChange {
            constructor(properties?: IM.Directory.GroupChange.$Properties);
            groupId: number;
            addedList: number[];
            removedList: number[];
            currentList: number[];
            static encode(message: IM.Directory.GroupChange.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.GroupChange;
        }

        namespace GroupChange {
            interface $Properties {
                groupId: number;
                addedList?: readonly number[] | undefined;
                removedList?: readonly number[] | undefined;
                currentList?: readonly number[] | undefined;
            }
        }

        class ProfileChange {
            constructor(properties?: IM.Directory.ProfileChange.$Properties);
            userId: number;
            avatar?: string | undefined;
            signInfo?: string | undefined;
            static encode(message: IM.Directory.ProfileChange.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Directory.ProfileChange;
        }

        namespace ProfileChange {
            interface $Properties {
                userId: number;
                avatar?: string | undefined;
                signInfo?: string | undefined;
            }
        }
    }

    namespace File {

        class IMFileLoginReq {
            constructor(properties?: IM.File.IMFileLoginReq.$Properties);
            userId: number;
            taskId: string;
            fileRole: IM.BaseDefine.ClientFileRole;
            static encode(message: IM.File.IMFileLoginReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileLoginReq;
        }

        namespace IMFileLoginReq {
            interface $Properties {
                userId: number;
                taskId: string;
                fileRole: IM.BaseDefine.ClientFileRole;
            }
        }

        class IMFileLoginRsp {
            constructor(properties?: IM.File.IMFileLoginRsp.$Properties);
            resultCode: number;
            taskId: string;
            static encode(message: IM.File.IMFileLoginRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileLoginRsp;
        }

        namespace IMFileLoginRsp {
            interface $Properties {
                resultCode: number;
                taskId: string;
            }
        }

        class IMFileState {
            constructor(properties?: IM.File.IMFileState.$Properties);
            state: IM.BaseDefine.ClientFileState;
            taskId: string;
            userId: number;
            static encode(message: IM.File.IMFileState.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileState;
        }

        namespace IMFileState {
            interface $Properties {
                state: IM.BaseDefine.ClientFileState;
                taskId: string;
                userId: number;
            }
        }

        class IMFilePullDataReq {
            constructor(properties?: IM.File.IMFilePullDataReq.$Properties);
            taskId: string;
            userId: number;
            transMode: IM.BaseDefine.TransferFileType;
            offset: number;
            dataSize: number;
            static encode(message: IM.File.IMFilePullDataReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFilePullDataReq;
        }

        namespace IMFilePullDataReq {
            interface $Properties {
                taskId: string;
                userId: number;
                transMode: IM.BaseDefine.TransferFileType;
                offset: number;
                dataSize: number;
            }
        }

        class IMFilePullDataRsp {
            constructor(properties?: IM.File.IMFilePullDataRsp.$Properties);
            resultCode: number;
            taskId: string;
            userId: number;
            offset: number;
            fileData: Uint8Array;
            static encode(message: IM.File.IMFilePullDataRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFilePullDataRsp;
        }

        namespace IMFilePullDataRsp {
            interface $Properties {
                resultCode: number;
                taskId: string;
                userId: number;
                offset: number;
                fileData: Uint8Array;
            }
        }

        class IMFileReq {
            constructor(properties?: IM.File.IMFileReq.$Properties);
            fromUserId: number;
            toUserId: number;
            fileName: string;
            fileSize: number;
            transMode: IM.BaseDefine.TransferFileType;
            static encode(message: IM.File.IMFileReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileReq;
        }

        namespace IMFileReq {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                fileName: string;
                fileSize: number;
                transMode: IM.BaseDefine.TransferFileType;
            }
        }

        class IMFileRsp {
            constructor(properties?: IM.File.IMFileRsp.$Properties);
            resultCode: number;
            fromUserId: number;
            toUserId: number;
            fileName: string;
            taskId: string;
            ipAddrList: IM.BaseDefine.IpAddr[];
            transMode: IM.BaseDefine.TransferFileType;
            static encode(message: IM.File.IMFileRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileRsp;
        }

        namespace IMFileRsp {
            interface $Properties {
                resultCode: number;
                fromUserId: number;
                toUserId: number;
                fileName: string;
                taskId: string;
                ipAddrList?: readonly IM.BaseDefine.IpAddr.$Properties[] | undefined;
                transMode: IM.BaseDefine.TransferFileType;
            }
        }

        class IMFileNotify {
            constructor(properties?: IM.File.IMFileNotify.$Properties);
            fromUserId: number;
            toUserId: number;
            fileName: string;
            fileSize: number;
            taskId: string;
            ipAddrList: IM.BaseDefine.IpAddr[];
            transMode: IM.BaseDefine.TransferFileType;
            offlineReady: number;
            static encode(message: IM.File.IMFileNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileNotify;
        }

        namespace IMFileNotify {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                fileName: string;
                fileSize: number;
                taskId: string;
                ipAddrList?: readonly IM.BaseDefine.IpAddr.$Properties[] | undefined;
                transMode: IM.BaseDefine.TransferFileType;
                offlineReady: number;
            }
        }

        class IMFileHasOfflineReq {
            constructor(properties?: IM.File.IMFileHasOfflineReq.$Properties);
            userId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.File.IMFileHasOfflineReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileHasOfflineReq;
        }

        namespace IMFileHasOfflineReq {
            interface $Properties {
                userId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMFileHasOfflineRsp {
            constructor(properties?: IM.File.IMFileHasOfflineRsp.$Properties);
            userId: number;
            offlineFileList: IM.BaseDefine.OfflineFileInfo[];
            ipAddrList: IM.BaseDefine.IpAddr[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.File.IMFileHasOfflineRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileHasOfflineRsp;
        }

        namespace IMFileHasOfflineRsp {
            interface $Properties {
                userId: number;
                offlineFileList?: readonly IM.BaseDefine.OfflineFileInfo.$Properties[] | undefined;
                ipAddrList?: readonly IM.BaseDefine.IpAddr.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMFileAddOfflineReq {
            constructor(properties?: IM.File.IMFileAddOfflineReq.$Properties);
            fromUserId: number;
            toUserId: number;
            taskId: string;
            fileName: string;
            fileSize: number;
            static encode(message: IM.File.IMFileAddOfflineReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileAddOfflineReq;
        }

        namespace IMFileAddOfflineReq {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                taskId: string;
                fileName: string;
                fileSize: number;
            }
        }

        class IMFileDelOfflineReq {
            constructor(properties?: IM.File.IMFileDelOfflineReq.$Properties);
            fromUserId: number;
            toUserId: number;
            taskId: string;
            static encode(message: IM.File.IMFileDelOfflineReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileDelOfflineReq;
        }

        namespace IMFileDelOfflineReq {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                taskId: string;
            }
        }

        class IMFileTokenReq {
            constructor(properties?: IM.File.IMFileTokenReq.$Properties);
            userId: number;
            upload?: boolean | undefined;
            pathList: string[];
            static encode(message: IM.File.IMFileTokenReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileTokenReq;
        }

        namespace IMFileTokenReq {
            interface $Properties {
                userId: number;
                upload?: boolean | undefined;
                pathList?: readonly string[] | undefined;
            }
        }

        class IMFileTokenRsp {
            constructor(properties?: IM.File.IMFileTokenRsp.$Properties);
            userId: number;
            storeUrl: string;
            uploadToken?: string | undefined;
            urlList: string[];
            expiresMs: number;
            static encode(message: IM.File.IMFileTokenRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.File.IMFileTokenRsp;
        }

        namespace IMFileTokenRsp {
            interface $Properties {
                userId: number;
                storeUrl: string;
                uploadToken?: string | undefined;
                urlList?: readonly string[] | undefined;
                expiresMs: number;
            }
        }
    }

    namespace Group {

        class IMNormalGroupListReq {
            constructor(properties?: IM.Group.IMNormalGroupListReq.$Properties);
            userId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMNormalGroupListReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMNormalGroupListReq;
        }

        namespace IMNormalGroupListReq {
            interface $Properties {
                userId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMNormalGroupListRsp {
            constructor(properties?: IM.Group.IMNormalGroupListRsp.$Properties);
            userId: number;
            groupVersionList: IM.BaseDefine.GroupVersionInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMNormalGroupListRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMNormalGroupListRsp;
        }

        namespace IMNormalGroupListRsp {
            interface $Properties {
                userId: number;
                groupVersionList?: readonly IM.BaseDefine.GroupVersionInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupInfoListReq {
            constructor(properties?: IM.Group.IMGroupInfoListReq.$Properties);
            userId: number;
            groupVersionList: IM.BaseDefine.GroupVersionInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMGroupInfoListReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupInfoListReq;
        }

        namespace IMGroupInfoListReq {
            interface $Properties {
                userId: number;
                groupVersionList?: readonly IM.BaseDefine.GroupVersionInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupInfoListRsp {
            constructor(properties?: IM.Group.IMGroupInfoListRsp.$Properties);
            userId: number;
            groupInfoList: IM.BaseDefine.GroupInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMGroupInfoListRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupInfoListRsp;
        }

        namespace IMGroupInfoListRsp {
            interface $Properties {
                userId: number;
                groupInfoList?: readonly IM.BaseDefine.GroupInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupCreateReq {
            constructor(properties?: IM.Group.IMGroupCreateReq.$Properties);
            userId: number;
            groupType: IM.BaseDefine.GroupType;
            groupName: string;
            groupAvatar: string;
            memberIdList: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMGroupCreateReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupCreateReq;
        }

        namespace IMGroupCreateReq {
            interface $Properties {
                userId: number;
                groupType: IM.BaseDefine.GroupType;
                groupName: string;
                groupAvatar: string;
                memberIdList?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupCreateRsp {
            constructor(properties?: IM.Group.IMGroupCreateRsp.$Properties);
            userId: number;
            resultCode: number;
            groupId?: number | undefined;
            groupName: string;
            userIdList: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMGroupCreateRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupCreateRsp;
        }

        namespace IMGroupCreateRsp {
            interface $Properties {
                userId: number;
                resultCode: number;
                groupId?: number | undefined;
                groupName: string;
                userIdList?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupChangeMemberReq {
            constructor(properties?: IM.Group.IMGroupChangeMemberReq.$Properties);
            userId: number;
            changeType: IM.BaseDefine.GroupModifyType;
            groupId: number;
            memberIdList: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMGroupChangeMemberReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupChangeMemberReq;
        }

        namespace IMGroupChangeMemberReq {
            interface $Properties {
                userId: number;
                changeType: IM.BaseDefine.GroupModifyType;
                groupId: number;
                memberIdList?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupChangeMemberRsp {
            constructor(properties?: IM.Group.IMGroupChangeMemberRsp.$Properties);
            userId: number;
            changeType: IM.BaseDefine.GroupModifyType;
            resultCode: number;
            groupId: number;
            curUserIdList: number[];
            chgUserIdList: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMGroupChangeMemberRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupChangeMemberRsp;
        }

        namespace IMGroupChangeMemberRsp {
            interface $Properties {
                userId: number;
                changeType: IM.BaseDefine.GroupModifyType;
                resultCode: number;
                groupId: number;
                curUserIdList?: readonly number[] | undefined;
                chgUserIdList?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupShieldReq {
            constructor(properties?: IM.Group.IMGroupShieldReq.$Properties);
            userId: number;
            groupId: number;
            shieldStatus: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMGroupShieldReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupShieldReq;
        }

        namespace IMGroupShieldReq {
            interface $Properties {
                userId: number;
                groupId: number;
                shieldStatus: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupShieldRsp {
            constructor(properties?: IM.Group.IMGroupShieldRsp.$Properties);
            userId: number;
            groupId: number;
            resultCode: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Group.IMGroupShieldRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupShieldRsp;
        }

        namespace IMGroupShieldRsp {
            interface $Properties {
                userId: number;
                groupId: number;
                resultCode: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupChangeMemberNotify {
            constructor(properties?: IM.Group.IMGroupChangeMemberNotify.$Properties);
            userId: number;
            changeType: IM.BaseDefine.GroupModifyType;
            groupId: number;
            curUserIdList: number[];
            chgUserIdList: number[];
            static encode(message: IM.Group.IMGroupChangeMemberNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Group.IMGroupChangeMemberNotify;
        }

        namespace IMGroupChangeMemberNotify {
            interface $Properties {
                userId: number;
                changeType: IM.BaseDefine.GroupModifyType;
                groupId: number;
                curUserIdList?: readonly number[] | undefined;
                chgUserIdList?: readonly number[] | undefined;
            }
        }
    }

    namespace Login {

        class IMMsgServReq {
            constructor(properties?: IM.Login.IMMsgServReq.$Properties);
            static encode(message: IM.Login.IMMsgServReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMMsgServReq;
        }

        namespace IMMsgServReq {
            interface $Properties {
            }
        }

        class IMMsgServRsp {
            constructor(properties?: IM.Login.IMMsgServRsp.$Properties);
            resultCode: IM.BaseDefine.ResultType;
            priorIp?: string | undefined;
            backipIp?: string | undefined;
            port?: number | undefined;
            static encode(message: IM.Login.IMMsgServRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMMsgServRsp;
        }

        namespace IMMsgServRsp {
            interface $Properties {
                resultCode: IM.BaseDefine.ResultType;
                priorIp?: string | undefined;
                backipIp?: string | undefined;
                port?: number | undefined;
            }
        }

        class IMLoginReq {
            constructor(properties?: IM.Login.IMLoginReq.$Properties);
            userName: string;
            password: string;
            onlineStatus: IM.BaseDefine.UserStatType;
            clientType: IM.BaseDefine.ClientType;
            clientVersion?: string | undefined;
            capabilities: string[];
            deviceId?: string | undefined;
            token?: Uint8Array | undefined;
            deviceName?: string | undefined;
            signInCode?: string | undefined;
            codeVerifier?: Uint8Array | undefined;
            clearPassword?: string | undefined;
            static encode(message: IM.Login.IMLoginReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMLoginReq;
        }

        namespace IMLoginReq {
            interface $Properties {
                userName: string;
                password: string;
                onlineStatus: IM.BaseDefine.UserStatType;
                clientType: IM.BaseDefine.ClientType;
                clientVersion?: string | undefined;
                capabilities?: readonly string[] | undefined;
                deviceId?: string | undefined;
                token?: Uint8Array | undefined;
                deviceName?: string | undefined;
                signInCode?: string | undefined;
                codeVerifier?: Uint8Array | undefined;
                clearPassword?: string | undefined;
            }
        }

        class IMLoginRes {
            constructor(properties?: IM.Login.IMLoginRes.$Properties);
            serverTime: number;
            resultCode: IM.BaseDefine.ResultType;
            resultString?: string | undefined;
            onlineStatus?: IM.BaseDefine.UserStatType | undefined;
            userInfo?: IM.BaseDefine.UserInfo | undefined;
            capabilities: string[];
            serverTimeMs?: number | undefined;
            token?: Uint8Array | undefined;
            tokenExpiresMs?: number | undefined;
            heartbeatS?: number | undefined;
            frameSizeMax?: number | undefined;
            returnMs?: number | undefined;
            static encode(message: IM.Login.IMLoginRes.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMLoginRes;
        }

        namespace IMLoginRes {
            interface $Properties {
                serverTime: number;
                resultCode: IM.BaseDefine.ResultType;
                resultString?: string | undefined;
                onlineStatus?: IM.BaseDefine.UserStatType | undefined;
                userInfo?: IM.BaseDefine.UserInfo.$Properties | undefined;
                capabilities?: readonly string[] | undefined;
                serverTimeMs?: number | undefined;
                token?: Uint8Array | undefined;
                tokenExpiresMs?: number | undefined;
                heartbeatS?: number | undefined;
                frameSizeMax?: number | undefined;
                returnMs?: number | undefined;
            }
        }

        class IMLogoutReq {
            constructor(properties?: IM.Login.IMLogoutReq.$Properties);
            static encode(message: IM.Login.IMLogoutReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMLogoutReq;
        }

        namespace IMLogoutReq {
            interface $Properties {
            }
        }

        class IMLogoutRsp {
            constructor(properties?: IM.Login.IMLogoutRsp.$Properties);
            resultCode: number;
            static encode(message: IM.Login.IMLogoutRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMLogoutRsp;
        }

        namespace IMLogoutRsp {
            interface $Properties {
                resultCode: number;
            }
        }

        class IMKickUser {
            constructor(properties?: IM.Login.IMKickUser.$Properties);
            userId: number;
            kickReason: IM.BaseDefine.KickReasonType;
            static encode(message: IM.Login.IMKickUser.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMKickUser;
        }

        namespace IMKickUser {
            interface $Properties {
                userId: number;
                kickReason: IM.BaseDefine.KickReasonType;
            }
        }

        class IMDeviceTokenReq {
            constructor(properties?: IM.Login.IMDeviceTokenReq.$Properties);
            userId: number;
            deviceToken: string;
            clientType?: IM.BaseDefine.ClientType | undefined;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Login.IMDeviceTokenReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMDeviceTokenReq;
        }

        namespace IMDeviceTokenReq {
            interface $Properties {
                userId: number;
                deviceToken: string;
                clientType?: IM.BaseDefine.ClientType | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMDeviceTokenRsp {
            constructor(properties?: IM.Login.IMDeviceTokenRsp.$Properties);
            userId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Login.IMDeviceTokenRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMDeviceTokenRsp;
        }

        namespace IMDeviceTokenRsp {
            interface $Properties {
                userId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMKickPCClientReq {
            constructor(properties?: IM.Login.IMKickPCClientReq.$Properties);
            userId: number;
            static encode(message: IM.Login.IMKickPCClientReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMKickPCClientReq;
        }

        namespace IMKickPCClientReq {
            interface $Properties {
                userId: number;
            }
        }

        class IMKickPCClientRsp {
            constructor(properties?: IM.Login.IMKickPCClientRsp.$Properties);
            userId: number;
            resultCode: number;
            static encode(message: IM.Login.IMKickPCClientRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMKickPCClientRsp;
        }

        namespace IMKickPCClientRsp {
            interface $Properties {
                userId: number;
                resultCode: number;
            }
        }

        class IMPushShieldReq {
            constructor(properties?: IM.Login.IMPushShieldReq.$Properties);
            userId: number;
            shieldStatus: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Login.IMPushShieldReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMPushShieldReq;
        }

        namespace IMPushShieldReq {
            interface $Properties {
                userId: number;
                shieldStatus: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMPushShieldRsp {
            constructor(properties?: IM.Login.IMPushShieldRsp.$Properties);
            userId: number;
            resultCode: number;
            shieldStatus?: number | undefined;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Login.IMPushShieldRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMPushShieldRsp;
        }

        namespace IMPushShieldRsp {
            interface $Properties {
                userId: number;
                resultCode: number;
                shieldStatus?: number | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMQueryPushShieldReq {
            constructor(properties?: IM.Login.IMQueryPushShieldReq.$Properties);
            userId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Login.IMQueryPushShieldReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMQueryPushShieldReq;
        }

        namespace IMQueryPushShieldReq {
            interface $Properties {
                userId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMQueryPushShieldRsp {
            constructor(properties?: IM.Login.IMQueryPushShieldRsp.$Properties);
            userId: number;
            resultCode: number;
            shieldStatus?: number | undefined;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Login.IMQueryPushShieldRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMQueryPushShieldRsp;
        }

        namespace IMQueryPushShieldRsp {
            interface $Properties {
                userId: number;
                resultCode: number;
                shieldStatus?: number | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMDeviceListReq {
            constructor(properties?: IM.Login.IMDeviceListReq.$Properties);
            userId: number;
            deviceId?: string | undefined;
            static encode(message: IM.Login.IMDeviceListReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMDeviceListReq;
        }

        namespace IMDeviceListReq {
            interface $Properties {
                userId: number;
                deviceId?: string | undefined;
            }
        }

        class IMDeviceListRsp {
            constructor(properties?: IM.Login.IMDeviceListRsp.$Properties);
            userId: number;
            deviceList: IM.BaseDefine.DeviceInfo[];
            static encode(message: IM.Login.IMDeviceListRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMDeviceListRsp;
        }

        namespace IMDeviceListRsp {
            interface $Properties {
                userId: number;
                deviceList?: readonly IM.BaseDefine.DeviceInfo.$Properties[] | undefined;
            }
        }

        class IMDeviceRemoveReq {
            constructor(properties?: IM.Login.IMDeviceRemoveReq.$Properties);
            userId: number;
            deviceId: string;
            static encode(message: IM.Login.IMDeviceRemoveReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMDeviceRemoveReq;
        }

        namespace IMDeviceRemoveReq {
            interface $Properties {
                userId: number;
                deviceId: string;
            }
        }

        class IMDeviceRemoveRsp {
            constructor(properties?: IM.Login.IMDeviceRemoveRsp.$Properties);
            userId: number;
            resultCode: number;
            static encode(message: IM.Login.IMDeviceRemoveRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Login.IMDeviceRemoveRsp;
        }

        namespace IMDeviceRemoveRsp {
            interface $Properties {
                userId: number;
                resultCode: number;
            }
        }
    }

    namespace Message {

        class IMMsgData {
            constructor(properties?: IM.Message.IMMsgData.$Properties);
            fromUserId: number;
            toSessionId: number;
            msgId: number;
            createTime: number;
            msgType: IM.BaseDefine.MsgType;
            msgData: Uint8Array;
            attachData?: Uint8Array | undefined;
            sendId?: Uint8Array | undefined;
            createTimeMs?: number | undefined;
            static encode(message: IM.Message.IMMsgData.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMMsgData;
        }

        namespace IMMsgData {
            interface $Properties {
                fromUserId: number;
                toSessionId: number;
                msgId: number;
                createTime: number;
                msgType: IM.BaseDefine.MsgType;
                msgData: Uint8Array;
                attachData?: Uint8Array | undefined;
                sendId?: Uint8Array | undefined;
                createTimeMs?: number | undefined;
            }
        }

        class IMMsgDataAck {
            constructor(properties?: IM.Message.IMMsgDataAck.$Properties);
            userId: number;
            sessionId: number;
            msgId: number;
            sessionType: IM.BaseDefine.SessionType;
            sendId?: Uint8Array | undefined;
            createTimeMs?: number | undefined;
            duplicate?: boolean | undefined;
            static encode(message: IM.Message.IMMsgDataAck.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMMsgDataAck;
        }

        namespace IMMsgDataAck {
            interface $Properties {
                userId: number;
                sessionId: number;
                msgId: number;
                sessionType: IM.BaseDefine.SessionType;
                sendId?: Uint8Array | undefined;
                createTimeMs?: number | undefined;
                duplicate?: boolean | undefined;
            }
        }

        class IMMsgDataReadAck {
            constructor(properties?: IM.Message.IMMsgDataReadAck.$Properties);
            userId: number;
            sessionId: number;
            msgId: number;
            sessionType: IM.BaseDefine.SessionType;
            static encode(message: IM.Message.IMMsgDataReadAck.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMMsgDataReadAck;
        }

        namespace IMMsgDataReadAck {
            interface $Properties {
                userId: number;
                sessionId: number;
                msgId: number;
                sessionType: IM.BaseDefine.SessionType;
            }
        }

        class IMMsgDataReadNotify {
            constructor(properties?: IM.Message.IMMsgDataReadNotify.$Properties);
            userId: number;
            sessionId: number;
            msgId: number;
            sessionType: IM.BaseDefine.SessionType;
            static encode(message: IM.Message.IMMsgDataReadNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMMsgDataReadNotify;
        }

        namespace IMMsgDataReadNotify {
            interface $Properties {
                userId: number;
                sessionId: number;
                msgId: number;
                sessionType: IM.BaseDefine.SessionType;
            }
        }

        class IMClientTimeReq {
            constructor(properties?: IM.Message.IMClientTimeReq.$Properties);
            static encode(message: IM.Message.IMClientTimeReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMClientTimeReq;
        }

        namespace IMClientTimeReq {
            interface $Properties {
            }
        }

        class IMClientTimeRsp {
            constructor(properties?: IM.Message.IMClientTimeRsp.$Properties);
            serverTime: number;
            static encode(message: IM.Message.IMClientTimeRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMClientTimeRsp;
        }

        namespace IMClientTimeRsp {
            interface $Properties {
                serverTime: number;
            }
        }

        class IMUnreadMsgCntReq {
            constructor(properties?: IM.Message.IMUnreadMsgCntReq.$Properties);
            userId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Message.IMUnreadMsgCntReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMUnreadMsgCntReq;
        }

        namespace IMUnreadMsgCntReq {
            interface $Properties {
                userId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMUnreadMsgCntRsp {
            constructor(properties?: IM.Message.IMUnreadMsgCntRsp.$Properties);
            userId: number;
            totalCnt: number;
            unreadinfoList: IM.BaseDefine.UnreadInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Message.IMUnreadMsgCntRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMUnreadMsgCntRsp;
        }

        namespace IMUnreadMsgCntRsp {
            interface $Properties {
                userId: number;
                totalCnt: number;
                unreadinfoList?: readonly IM.BaseDefine.UnreadInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGetMsgListReq {
            constructor(properties?: IM.Message.IMGetMsgListReq.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            msgIdBegin: number;
            msgCnt: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Message.IMGetMsgListReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMGetMsgListReq;
        }

        namespace IMGetMsgListReq {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                msgIdBegin: number;
                msgCnt: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGetMsgListRsp {
            constructor(properties?: IM.Message.IMGetMsgListRsp.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            msgIdBegin: number;
            msgList: IM.BaseDefine.MsgInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Message.IMGetMsgListRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMGetMsgListRsp;
        }

        namespace IMGetMsgListRsp {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                msgIdBegin: number;
                msgList?: readonly IM.BaseDefine.MsgInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGetLatestMsgIdReq {
            constructor(properties?: IM.Message.IMGetLatestMsgIdReq.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Message.IMGetLatestMsgIdReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMGetLatestMsgIdReq;
        }

        namespace IMGetLatestMsgIdReq {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGetLatestMsgIdRsp {
            constructor(properties?: IM.Message.IMGetLatestMsgIdRsp.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            latestMsgId: number;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Message.IMGetLatestMsgIdRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMGetLatestMsgIdRsp;
        }

        namespace IMGetLatestMsgIdRsp {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                latestMsgId: number;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGetMsgByIdReq {
            constructor(properties?: IM.Message.IMGetMsgByIdReq.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            msgIdList: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Message.IMGetMsgByIdReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMGetMsgByIdReq;
        }

        namespace IMGetMsgByIdReq {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                msgIdList?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGetMsgByIdRsp {
            constructor(properties?: IM.Message.IMGetMsgByIdRsp.$Properties);
            userId: number;
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            msgList: IM.BaseDefine.MsgInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Message.IMGetMsgByIdRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMGetMsgByIdRsp;
        }

        namespace IMGetMsgByIdRsp {
            interface $Properties {
                userId: number;
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                msgList?: readonly IM.BaseDefine.MsgInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMSyncReq {
            constructor(properties?: IM.Message.IMSyncReq.$Properties);
            userId: number;
            cursor?: Uint8Array | undefined;
            limit?: number | undefined;
            static encode(message: IM.Message.IMSyncReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMSyncReq;
        }

        namespace IMSyncReq {
            interface $Properties {
                userId: number;
                cursor?: Uint8Array | undefined;
                limit?: number | undefined;
            }
        }

        class IMSyncRsp {
            constructor(properties?: IM.Message.IMSyncRsp.$Properties);
            userId: number;
            entryList: IM.Message.SyncEntry[];
            cursor?: Uint8Array | undefined;
            done: boolean;
            tooOld: boolean;
            static encode(message: IM.Message.IMSyncRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMSyncRsp;
        }

        namespace IMSyncRsp {
            interface $Properties {
                userId: number;
                entryList?: readonly IM.Message.SyncEntry.$Properties[] | undefined;
                cursor?: Uint8Array | undefined;
                done: boolean;
                tooOld: boolean;
            }
        }

        class SyncEntry {
            constructor(properties?: IM.Message.SyncEntry.$Properties);
            sessionType: IM.BaseDefine.SessionType;
            sessionId: number;
            head: number;
            read: number;
            peerRead: number;
            unread: number;
            removed: boolean;
            updatedMs: number;
            lastMsg?: IM.BaseDefine.MsgInfo | undefined;
            static encode(message: IM.Message.SyncEntry.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.SyncEntry;
        }

        namespace SyncEntry {
            interface $Properties {
                sessionType: IM.BaseDefine.SessionType;
                sessionId: number;
                head: number;
                read: number;
                peerRead: number;
                unread: number;
                removed: boolean;
                updatedMs: number;
                lastMsg?: IM.BaseDefine.MsgInfo.$Properties | undefined;
            }
        }

        class IMError {
            constructor(properties?: IM.Message.IMError.$Properties);
            commandId: number;
            seq: number;
            code: string;
            text?: string | undefined;
            retryAfterMs?: number | undefined;
            field?: string | undefined;
            static encode(message: IM.Message.IMError.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Message.IMError;
        }

        namespace IMError {
            interface $Properties {
                commandId: number;
                seq: number;
                code: string;
                text?: string | undefined;
                retryAfterMs?: number | undefined;
                field?: string | undefined;
            }
        }
    }

    namespace Other {

        class IMHeartBeat {
            constructor(properties?: IM.Other.IMHeartBeat.$Properties);
            static encode(message: IM.Other.IMHeartBeat.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Other.IMHeartBeat;
        }

        namespace IMHeartBeat {
            interface $Properties {
            }
        }
    }

    namespace Person {

        class Claims {
            constructor(properties?: IM.Person.Claims.$Properties);
            source: string;
            subject: string;
            name: string;
            nick?: string | undefined;
            email?: string | undefined;
            emailVerified: boolean;
            department?: string | undefined;
            static encode(message: IM.Person.Claims.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Person.Claims;
        }

        namespace Claims {
            interface $Properties {
                source: string;
                subject: string;
                name: string;
                nick?: string | undefined;
                email?: string | undefined;
                emailVerified: boolean;
                department?: string | undefined;
            }
        }

        class IMPersonEnterReq {
            constructor(properties?: IM.Person.IMPersonEnterReq.$Properties);
            claims?: IM.Person.Claims | undefined;
            name?: string | undefined;
            password?: string | undefined;
            address: string;
            lifetimeMs: number;
            static encode(message: IM.Person.IMPersonEnterReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Person.IMPersonEnterReq;
        }

        namespace IMPersonEnterReq {
            interface $Properties {
                claims?: IM.Person.Claims.$Properties | undefined;
                name?: string | undefined;
                password?: string | undefined;
                address: string;
                lifetimeMs: number;
            }
        }

        class IMPersonEnterRsp {
            constructor(properties?: IM.Person.IMPersonEnterRsp.$Properties);
            result: IM.Person.EnterResult;
            token?: Uint8Array | undefined;
            static encode(message: IM.Person.IMPersonEnterRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Person.IMPersonEnterRsp;
        }

        namespace IMPersonEnterRsp {
            interface $Properties {
                result: IM.Person.EnterResult;
                token?: Uint8Array | undefined;
            }
        }

        enum EnterResult {
            ENTER_RESULT_OK = 0,
            ENTER_RESULT_WRONG = 1,
            ENTER_RESULT_LOCKED = 2,
            ENTER_RESULT_LEFT = 3,
            ENTER_RESULT_UNKNOWN = 4,
            ENTER_RESULT_NAME_TAKEN = 5,
            ENTER_RESULT_NO_NAME = 6
        }

        class IMPersonPageReq {
            constructor(properties?: IM.Person.IMPersonPageReq.$Properties);
            tokenHash: Uint8Array;
            address: string;
            signOut?: boolean | undefined;
            newAppPassword?: string | undefined;
            removeAppPassword?: number | undefined;
            removeDevice?: string | undefined;
            challenge?: Uint8Array | undefined;
            static encode(message: IM.Person.IMPersonPageReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Person.IMPersonPageReq;
        }

        namespace IMPersonPageReq {
            interface $Properties {
                tokenHash: Uint8Array;
                address: string;
                signOut?: boolean | undefined;
                newAppPassword?: string | undefined;
                removeAppPassword?: number | undefined;
                removeDevice?: string | undefined;
                challenge?: Uint8Array | undefined;
            }
        }

        class IMPersonPageRsp {
            constructor(properties?: IM.Person.IMPersonPageRsp.$Properties);
            name?: string | undefined;
            nick?: string | undefined;
            source?: string | undefined;
            deviceList: IM.BaseDefine.DeviceInfo[];
            appPasswordList: IM.Person.AppPassword[];
            appPassword?: string | undefined;
            code?: string | undefined;
            static encode(message: IM.Person.IMPersonPageRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Person.IMPersonPageRsp;
        }

        namespace IMPersonPageRsp {
            interface $Properties {
                name?: string | undefined;
                nick?: string | undefined;
                source?: string | undefined;
                deviceList?: readonly IM.BaseDefine.DeviceInfo.$Properties[] | undefined;
                appPasswordList?: readonly IM.Person.AppPassword.$Properties[] | undefined;
                appPassword?: string | undefined;
                code?: string | undefined;
            }
        }

        class AppPassword {
            constructor(properties?: IM.Person.AppPassword.$Properties);
            id: number;
            name: string;
            createdMs: number;
            usedMs?: number | undefined;
            static encode(message: IM.Person.AppPassword.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Person.AppPassword;
        }

        namespace AppPassword {
            interface $Properties {
                id: number;
                name: string;
                createdMs: number;
                usedMs?: number | undefined;
            }
        }

        class IMSignInWaysReq {
            constructor(properties?: IM.Person.IMSignInWaysReq.$Properties);
            static encode(message: IM.Person.IMSignInWaysReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Person.IMSignInWaysReq;
        }

        namespace IMSignInWaysReq {
            interface $Properties {
            }
        }

        class IMSignInWaysRsp {
            constructor(properties?: IM.Person.IMSignInWaysRsp.$Properties);
            ldap: boolean;
            static encode(message: IM.Person.IMSignInWaysRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Person.IMSignInWaysRsp;
        }

        namespace IMSignInWaysRsp {
            interface $Properties {
                ldap: boolean;
            }
        }
    }

    namespace Push {

        class PushPlace {
            constructor(properties?: IM.Push.PushPlace.$Properties);
            conversationId: string;
            msgId: number;
            static encode(message: IM.Push.PushPlace.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.PushPlace;
        }

        namespace PushPlace {
            interface $Properties {
                conversationId: string;
                msgId: number;
            }
        }

        class IMPushPlanReq {
            constructor(properties?: IM.Push.IMPushPlanReq.$Properties);
            placeList: IM.Push.PushPlace[];
            withText: boolean;
            static encode(message: IM.Push.IMPushPlanReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushPlanReq;
        }

        namespace IMPushPlanReq {
            interface $Properties {
                placeList?: readonly IM.Push.PushPlace.$Properties[] | undefined;
                withText: boolean;
            }
        }

        class IMPushPlanRsp {
            constructor(properties?: IM.Push.IMPushPlanRsp.$Properties);
            pushList: IM.Push.PlannedPush[];
            static encode(message: IM.Push.IMPushPlanRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushPlanRsp;
        }

        namespace IMPushPlanRsp {
            interface $Properties {
                pushList?: readonly IM.Push.PlannedPush.$Properties[] | undefined;
            }
        }

        class PlannedPush {
            constructor(properties?: IM.Push.PlannedPush.$Properties);
            place: IM.Push.PushPlace;
            fromUserId: number;
            fromNick: string;
            sessionType: IM.BaseDefine.SessionType;
            groupId?: number | undefined;
            groupName?: string | undefined;
            msgType: IM.BaseDefine.MsgType;
            createTimeMs: number;
            text?: string | undefined;
            targetList: IM.Push.PushTarget[];
            static encode(message: IM.Push.PlannedPush.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.PlannedPush;
        }

        namespace PlannedPush {
            interface $Properties {
                place: IM.Push.PushPlace.$Properties;
                fromUserId: number;
                fromNick: string;
                sessionType: IM.BaseDefine.SessionType;
                groupId?: number | undefined;
                groupName?: string | undefined;
                msgType: IM.BaseDefine.MsgType;
                createTimeMs: number;
                text?: string | undefined;
                targetList?: readonly IM.Push.PushTarget.$Properties[] | undefined;
            }
        }

        class PushTarget {
            constructor(properties?: IM.Push.PushTarget.$Properties);
            userId: number;
            sessionId: number;
            clientType: IM.BaseDefine.ClientType;
            token: string;
            badge: number;
            static encode(message: IM.Push.PushTarget.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.PushTarget;
        }

        namespace PushTarget {
            interface $Properties {
                userId: number;
                sessionId: number;
                clientType: IM.BaseDefine.ClientType;
                token: string;
                badge: number;
            }
        }

        class IMPushSettledReq {
            constructor(properties?: IM.Push.IMPushSettledReq.$Properties);
            shownList: IM.Push.PushShown[];
            invalidTokenList: string[];
            static encode(message: IM.Push.IMPushSettledReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushSettledReq;
        }

        namespace IMPushSettledReq {
            interface $Properties {
                shownList?: readonly IM.Push.PushShown.$Properties[] | undefined;
                invalidTokenList?: readonly string[] | undefined;
            }
        }

        class PushShown {
            constructor(properties?: IM.Push.PushShown.$Properties);
            userId: number;
            place: IM.Push.PushPlace;
            static encode(message: IM.Push.PushShown.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.PushShown;
        }

        namespace PushShown {
            interface $Properties {
                userId: number;
                place: IM.Push.PushPlace.$Properties;
            }
        }

        class IMPushSettledRsp {
            constructor(properties?: IM.Push.IMPushSettledRsp.$Properties);
            static encode(message: IM.Push.IMPushSettledRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushSettledRsp;
        }

        namespace IMPushSettledRsp {
            interface $Properties {
            }
        }

        class IMOutboxPostponeReq {
            constructor(properties?: IM.Push.IMOutboxPostponeReq.$Properties);
            consumer: string;
            placeList: IM.Push.PushPlace[];
            delayMs: number;
            static encode(message: IM.Push.IMOutboxPostponeReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMOutboxPostponeReq;
        }

        namespace IMOutboxPostponeReq {
            interface $Properties {
                consumer: string;
                placeList?: readonly IM.Push.PushPlace.$Properties[] | undefined;
                delayMs: number;
            }
        }

        class IMOutboxPostponeRsp {
            constructor(properties?: IM.Push.IMOutboxPostponeRsp.$Properties);
            static encode(message: IM.Push.IMOutboxPostponeRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMOutboxPostponeRsp;
        }

        namespace IMOutboxPostponeRsp {
            interface $Properties {
            }
        }

        class IMPushWithdrawReq {
            constructor(properties?: IM.Push.IMPushWithdrawReq.$Properties);
            userId: number;
            read: IM.Push.PushPlace;
            static encode(message: IM.Push.IMPushWithdrawReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushWithdrawReq;
        }

        namespace IMPushWithdrawReq {
            interface $Properties {
                userId: number;
                read: IM.Push.PushPlace.$Properties;
            }
        }

        class IMPushWithdrawRsp {
            constructor(properties?: IM.Push.IMPushWithdrawRsp.$Properties);
            target?: IM.Push.PushTarget | undefined;
            sessionType?: IM.BaseDefine.SessionType | undefined;
            static encode(message: IM.Push.IMPushWithdrawRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushWithdrawRsp;
        }

        namespace IMPushWithdrawRsp {
            interface $Properties {
                target?: IM.Push.PushTarget.$Properties | undefined;
                sessionType?: IM.BaseDefine.SessionType | undefined;
            }
        }

        class IMReadMoved {
            constructor(properties?: IM.Push.IMReadMoved.$Properties);
            userId: number;
            read: IM.Push.PushPlace;
            static encode(message: IM.Push.IMReadMoved.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMReadMoved;
        }

        namespace IMReadMoved {
            interface $Properties {
                userId: number;
                read: IM.Push.PushPlace.$Properties;
            }
        }

        class IMOnlineReq {
            constructor(properties?: IM.Push.IMOnlineReq.$Properties);
            userIdList: number[];
            static encode(message: IM.Push.IMOnlineReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMOnlineReq;
        }

        namespace IMOnlineReq {
            interface $Properties {
                userIdList?: readonly number[] | undefined;
            }
        }

        class IMOnlineRsp {
            constructor(properties?: IM.Push.IMOnlineRsp.$Properties);
            onlineList: IM.Push.OnlineUser[];
            static encode(message: IM.Push.IMOnlineRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMOnlineRsp;
        }

        namespace IMOnlineRsp {
            interface $Properties {
                onlineList?: readonly IM.Push.OnlineUser.$Properties[] | undefined;
            }
        }

        class OnlineUser {
            constructor(properties?: IM.Push.OnlineUser.$Properties);
            userId: number;
            pc: boolean;
            mobile: boolean;
            static encode(message: IM.Push.OnlineUser.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.OnlineUser;
        }

        namespace OnlineUser {
            interface $Properties {
                userId: number;
                pc: boolean;
                mobile: boolean;
            }
        }

        class IMPushStateReq {
            constructor(properties?: IM.Push.IMPushStateReq.$Properties);
            static encode(message: IM.Push.IMPushStateReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushStateReq;
        }

        namespace IMPushStateReq {
            interface $Properties {
            }
        }

        class IMPushStateRsp {
            constructor(properties?: IM.Push.IMPushStateRsp.$Properties);
            name: string;
            sinceMs: number;
            open: number;
            text: string;
            language: string;
            whilePcOnline: string;
            vendorList: IM.Push.VendorState[];
            static encode(message: IM.Push.IMPushStateRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushStateRsp;
        }

        namespace IMPushStateRsp {
            interface $Properties {
                name: string;
                sinceMs: number;
                open: number;
                text: string;
                language: string;
                whilePcOnline: string;
                vendorList?: readonly IM.Push.VendorState.$Properties[] | undefined;
            }
        }

        class VendorState {
            constructor(properties?: IM.Push.VendorState.$Properties);
            vendor: string;
            ios: boolean;
            android: boolean;
            waiting: number;
            countList: IM.Push.PushCount[];
            static encode(message: IM.Push.VendorState.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.VendorState;
        }

        namespace VendorState {
            interface $Properties {
                vendor: string;
                ios: boolean;
                android: boolean;
                waiting: number;
                countList?: readonly IM.Push.PushCount.$Properties[] | undefined;
            }
        }

        class PushCount {
            constructor(properties?: IM.Push.PushCount.$Properties);
            result: string;
            reason: string;
            count: number;
            static encode(message: IM.Push.PushCount.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.PushCount;
        }

        namespace PushCount {
            interface $Properties {
                result: string;
                reason: string;
                count: number;
            }
        }

        class IMPushTestReq {
            constructor(properties?: IM.Push.IMPushTestReq.$Properties);
            userId: number;
            body: string;
            static encode(message: IM.Push.IMPushTestReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushTestReq;
        }

        namespace IMPushTestReq {
            interface $Properties {
                userId: number;
                body: string;
            }
        }

        class IMPushTestRsp {
            constructor(properties?: IM.Push.IMPushTestRsp.$Properties);
            testedList: IM.Push.PushTested[];
            static encode(message: IM.Push.IMPushTestRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushTestRsp;
        }

        namespace IMPushTestRsp {
            interface $Properties {
                testedList?: readonly IM.Push.PushTested.$Properties[] | undefined;
            }
        }

        class PushTested {
            constructor(properties?: IM.Push.PushTested.$Properties);
            clientType: IM.BaseDefine.ClientType;
            token: string;
            updatedMs: number;
            vendor: string;
            result: string;
            reason: string;
            tookMs: number;
            static encode(message: IM.Push.PushTested.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.PushTested;
        }

        namespace PushTested {
            interface $Properties {
                clientType: IM.BaseDefine.ClientType;
                token: string;
                updatedMs: number;
                vendor: string;
                result: string;
                reason: string;
                tookMs: number;
            }
        }

        class IMPushDevicesReq {
            constructor(properties?: IM.Push.IMPushDevicesReq.$Properties);
            userId: number;
            static encode(message: IM.Push.IMPushDevicesReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushDevicesReq;
        }

        namespace IMPushDevicesReq {
            interface $Properties {
                userId: number;
            }
        }

        class IMPushDevicesRsp {
            constructor(properties?: IM.Push.IMPushDevicesRsp.$Properties);
            deviceList: IM.Push.PushDevice[];
            static encode(message: IM.Push.IMPushDevicesRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.IMPushDevicesRsp;
        }

        namespace IMPushDevicesRsp {
            interface $Properties {
                deviceList?: readonly IM.Push.PushDevice.$Properties[] | undefined;
            }
        }

        class PushDevice {
            constructor(properties?: IM.Push.PushDevice.$Properties);
            clientType: IM.BaseDefine.ClientType;
            token: string;
            updatedMs: number;
            badge: number;
            static encode(message: IM.Push.PushDevice.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Push.PushDevice;
        }

        namespace PushDevice {
            interface $Properties {
                clientType: IM.BaseDefine.ClientType;
                token: string;
                updatedMs: number;
                badge: number;
            }
        }
    }

    namespace Server {

        class IMStopReceivePacket {
            constructor(properties?: IM.Server.IMStopReceivePacket.$Properties);
            result: number;
            static encode(message: IM.Server.IMStopReceivePacket.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMStopReceivePacket;
        }

        namespace IMStopReceivePacket {
            interface $Properties {
                result: number;
            }
        }

        class IMValidateReq {
            constructor(properties?: IM.Server.IMValidateReq.$Properties);
            userName: string;
            password: string;
            attachData?: Uint8Array | undefined;
            clientAddress?: string | undefined;
            token?: Uint8Array | undefined;
            device?: IM.BaseDefine.DeviceInfo | undefined;
            traceparent?: string | undefined;
            signInCode?: string | undefined;
            codeVerifier?: Uint8Array | undefined;
            clearPassword?: string | undefined;
            static encode(message: IM.Server.IMValidateReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMValidateReq;
        }

        namespace IMValidateReq {
            interface $Properties {
                userName: string;
                password: string;
                attachData?: Uint8Array | undefined;
                clientAddress?: string | undefined;
                token?: Uint8Array | undefined;
                device?: IM.BaseDefine.DeviceInfo.$Properties | undefined;
                traceparent?: string | undefined;
                signInCode?: string | undefined;
                codeVerifier?: Uint8Array | undefined;
                clearPassword?: string | undefined;
            }
        }

        class IMValidateRsp {
            constructor(properties?: IM.Server.IMValidateRsp.$Properties);
            userName: string;
            resultCode: number;
            resultString?: string | undefined;
            userInfo?: IM.BaseDefine.UserInfo | undefined;
            attachData?: Uint8Array | undefined;
            loginNumber?: number | undefined;
            token?: Uint8Array | undefined;
            tokenExpiresMs?: number | undefined;
            static encode(message: IM.Server.IMValidateRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMValidateRsp;
        }

        namespace IMValidateRsp {
            interface $Properties {
                userName: string;
                resultCode: number;
                resultString?: string | undefined;
                userInfo?: IM.BaseDefine.UserInfo.$Properties | undefined;
                attachData?: Uint8Array | undefined;
                loginNumber?: number | undefined;
                token?: Uint8Array | undefined;
                tokenExpiresMs?: number | undefined;
            }
        }

        class IMGetDeviceTokenReq {
            constructor(properties?: IM.Server.IMGetDeviceTokenReq.$Properties);
            userId: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Server.IMGetDeviceTokenReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMGetDeviceTokenReq;
        }

        namespace IMGetDeviceTokenReq {
            interface $Properties {
                userId?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGetDeviceTokenRsp {
            constructor(properties?: IM.Server.IMGetDeviceTokenRsp.$Properties);
            userTokenInfo: IM.BaseDefine.UserTokenInfo[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Server.IMGetDeviceTokenRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMGetDeviceTokenRsp;
        }

        namespace IMGetDeviceTokenRsp {
            interface $Properties {
                userTokenInfo?: readonly IM.BaseDefine.UserTokenInfo.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMRoleSet {
            constructor(properties?: IM.Server.IMRoleSet.$Properties);
            master: number;
            static encode(message: IM.Server.IMRoleSet.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMRoleSet;
        }

        namespace IMRoleSet {
            interface $Properties {
                master: number;
            }
        }

        class IMOnlineUserInfo {
            constructor(properties?: IM.Server.IMOnlineUserInfo.$Properties);
            userStatList: IM.BaseDefine.ServerUserStat[];
            static encode(message: IM.Server.IMOnlineUserInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMOnlineUserInfo;
        }

        namespace IMOnlineUserInfo {
            interface $Properties {
                userStatList?: readonly IM.BaseDefine.ServerUserStat.$Properties[] | undefined;
            }
        }

        class IMMsgServInfo {
            constructor(properties?: IM.Server.IMMsgServInfo.$Properties);
            ip1: string;
            ip2: string;
            port: number;
            maxConnCnt: number;
            curConnCnt: number;
            hostName: string;
            static encode(message: IM.Server.IMMsgServInfo.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMMsgServInfo;
        }

        namespace IMMsgServInfo {
            interface $Properties {
                ip1: string;
                ip2: string;
                port: number;
                maxConnCnt: number;
                curConnCnt: number;
                hostName: string;
            }
        }

        class IMUserStatusUpdate {
            constructor(properties?: IM.Server.IMUserStatusUpdate.$Properties);
            userStatus: number;
            userId: number;
            clientType: IM.BaseDefine.ClientType;
            announce?: boolean | undefined;
            static encode(message: IM.Server.IMUserStatusUpdate.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMUserStatusUpdate;
        }

        namespace IMUserStatusUpdate {
            interface $Properties {
                userStatus: number;
                userId: number;
                clientType: IM.BaseDefine.ClientType;
                announce?: boolean | undefined;
            }
        }

        class IMUserCntUpdate {
            constructor(properties?: IM.Server.IMUserCntUpdate.$Properties);
            userAction: number;
            userId: number;
            static encode(message: IM.Server.IMUserCntUpdate.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMUserCntUpdate;
        }

        namespace IMUserCntUpdate {
            interface $Properties {
                userAction: number;
                userId: number;
            }
        }

        class IMServerKickUser {
            constructor(properties?: IM.Server.IMServerKickUser.$Properties);
            userId: number;
            clientType: IM.BaseDefine.ClientType;
            reason: number;
            static encode(message: IM.Server.IMServerKickUser.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMServerKickUser;
        }

        namespace IMServerKickUser {
            interface $Properties {
                userId: number;
                clientType: IM.BaseDefine.ClientType;
                reason: number;
            }
        }

        class IMServerPCLoginStatusNotify {
            constructor(properties?: IM.Server.IMServerPCLoginStatusNotify.$Properties);
            userId: number;
            loginStatus: number;
            static encode(message: IM.Server.IMServerPCLoginStatusNotify.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMServerPCLoginStatusNotify;
        }

        namespace IMServerPCLoginStatusNotify {
            interface $Properties {
                userId: number;
                loginStatus: number;
            }
        }

        class IMPushToUserReq {
            constructor(properties?: IM.Server.IMPushToUserReq.$Properties);
            flash: string;
            data: string;
            userTokenList: IM.BaseDefine.UserTokenInfo[];
            static encode(message: IM.Server.IMPushToUserReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMPushToUserReq;
        }

        namespace IMPushToUserReq {
            interface $Properties {
                flash: string;
                data: string;
                userTokenList?: readonly IM.BaseDefine.UserTokenInfo.$Properties[] | undefined;
            }
        }

        class IMPushToUserRsp {
            constructor(properties?: IM.Server.IMPushToUserRsp.$Properties);
            pushResultList: IM.BaseDefine.PushResult[];
            static encode(message: IM.Server.IMPushToUserRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMPushToUserRsp;
        }

        namespace IMPushToUserRsp {
            interface $Properties {
                pushResultList?: readonly IM.BaseDefine.PushResult.$Properties[] | undefined;
            }
        }

        class IMGroupGetShieldReq {
            constructor(properties?: IM.Server.IMGroupGetShieldReq.$Properties);
            groupId: number;
            userId: number[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Server.IMGroupGetShieldReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMGroupGetShieldReq;
        }

        namespace IMGroupGetShieldReq {
            interface $Properties {
                groupId: number;
                userId?: readonly number[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMGroupGetShieldRsp {
            constructor(properties?: IM.Server.IMGroupGetShieldRsp.$Properties);
            groupId: number;
            shieldStatusList: IM.BaseDefine.ShieldStatus[];
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Server.IMGroupGetShieldRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMGroupGetShieldRsp;
        }

        namespace IMGroupGetShieldRsp {
            interface $Properties {
                groupId: number;
                shieldStatusList?: readonly IM.BaseDefine.ShieldStatus.$Properties[] | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMFileTransferReq {
            constructor(properties?: IM.Server.IMFileTransferReq.$Properties);
            fromUserId: number;
            toUserId: number;
            fileName: string;
            fileSize: number;
            transMode: IM.BaseDefine.TransferFileType;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Server.IMFileTransferReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMFileTransferReq;
        }

        namespace IMFileTransferReq {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                fileName: string;
                fileSize: number;
                transMode: IM.BaseDefine.TransferFileType;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMFileTransferRsp {
            constructor(properties?: IM.Server.IMFileTransferRsp.$Properties);
            resultCode: number;
            fromUserId: number;
            toUserId: number;
            fileName?: string | undefined;
            fileSize?: number | undefined;
            taskId?: string | undefined;
            transMode?: IM.BaseDefine.TransferFileType | undefined;
            attachData?: Uint8Array | undefined;
            static encode(message: IM.Server.IMFileTransferRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMFileTransferRsp;
        }

        namespace IMFileTransferRsp {
            interface $Properties {
                resultCode: number;
                fromUserId: number;
                toUserId: number;
                fileName?: string | undefined;
                fileSize?: number | undefined;
                taskId?: string | undefined;
                transMode?: IM.BaseDefine.TransferFileType | undefined;
                attachData?: Uint8Array | undefined;
            }
        }

        class IMFileServerIPReq {
            constructor(properties?: IM.Server.IMFileServerIPReq.$Properties);
            static encode(message: IM.Server.IMFileServerIPReq.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMFileServerIPReq;
        }

        namespace IMFileServerIPReq {
            interface $Properties {
            }
        }

        class IMFileServerIPRsp {
            constructor(properties?: IM.Server.IMFileServerIPRsp.$Properties);
            ipAddrList: IM.BaseDefine.IpAddr[];
            static encode(message: IM.Server.IMFileServerIPRsp.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.Server.IMFileServerIPRsp;
        }

        namespace IMFileServerIPRsp {
            interface $Properties {
                ipAddrList?: readonly IM.BaseDefine.IpAddr.$Properties[] | undefined;
            }
        }
    }

    namespace SwitchService {

        class IMP2PCmdMsg {
            constructor(properties?: IM.SwitchService.IMP2PCmdMsg.$Properties);
            fromUserId: number;
            toUserId: number;
            cmdMsgData: string;
            static encode(message: IM.SwitchService.IMP2PCmdMsg.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): IM.SwitchService.IMP2PCmdMsg;
        }

        namespace IMP2PCmdMsg {
            interface $Properties {
                fromUserId: number;
                toUserId: number;
                cmdMsgData: string;
            }
        }
    }
}
