// AWS Signature Version 4 (AWS General Reference, "Create a signed AWS API request"), by the browser's own cryptography.

const ALGORITHM = "AWS4-HMAC-SHA256";
const SERVICE = "execute-api";
const encoder = new TextEncoder();

const hex = (bytes) => [...new Uint8Array(bytes)].map((each) => each.toString(16).padStart(2, "0")).join("");
const digest = async (text) => hex(await crypto.subtle.digest("SHA-256", encoder.encode(text)));

/** One part of an address as it is signed: all but letters, digits and `-_.~` is encoded. */
const encoded = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);

async function mac(key, text) {
  const made = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", made, encoder.encode(text));
}

/**
 * The headers that sign a call.
 * @param credentials {accessKeyId, secretAccessKey, sessionToken?}
 * @param call {method, url (a URL), body (a text), region, now (a Date)}
 */
export async function signed(credentials, { method, url, body, region, now }) {
  const stamp = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const scope = [stamp.slice(0, 8), region, SERVICE, "aws4_request"];
  const headers = { host: url.host, "x-amz-date": stamp };
  if (credentials.sessionToken) headers["x-amz-security-token"] = credentials.sessionToken;
  const names = Object.keys(headers).sort();
  const query = [...url.searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).sort();
  const request = [
    method,
    url.pathname.split("/").map(encoded).join("/"), // of a path that is encoded already, once more: as all but S3 do
    query.join("&"),
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    names.join(";"),
    await digest(body),
  ];
  const text = [ALGORITHM, stamp, scope.join("/"), await digest(request.join("\n"))].join("\n");
  let key = encoder.encode(`AWS4${credentials.secretAccessKey}`);
  for (const part of scope) key = await mac(key, part);
  const signature = hex(await mac(key, text));
  delete headers.host; // the browser sets it
  const named = `Credential=${credentials.accessKeyId}/${scope.join("/")}, SignedHeaders=${names.join(";")}`;
  return { ...headers, authorization: `${ALGORITHM} ${named}, Signature=${signature}` };
}

/** Reads what `aws configure export-credentials` prints, as JSON or as lines of `export NAME=value`; null for others. */
export function credentialsOf(text) {
  let found;
  try {
    found = JSON.parse(text);
    found = found.Credentials ?? found;
  } catch {
    found = Object.fromEntries([...text.matchAll(/AWS_(\w+)=["']?([^\s"']+)/g)].map(([, name, value]) => [name, value]));
  }
  const accessKeyId = found?.AccessKeyId ?? found?.ACCESS_KEY_ID;
  const secretAccessKey = found?.SecretAccessKey ?? found?.SECRET_ACCESS_KEY;
  const sessionToken = found?.SessionToken ?? found?.SESSION_TOKEN;
  return accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey, sessionToken } : null;
}
