import { type DescribeConfigsRequestInput, describeConfigsApi } from "@mantou/protocol";
import { handleDescribeConfigs } from "../../src/handlers/describe-configs.ts";
import { type HandlerContext, ask } from "./handler-context.ts";

/** Resource types. */
export const TOPIC = 2;
export const BROKER = 4;

/** One resource as DescribeConfigs shows it. */
export const describeOne = async (
  broker: HandlerContext,
  version: number,
  resourceType: number,
  resourceName: string,
  more: Partial<DescribeConfigsRequestInput> = {},
  configurationKeys: string[] | null = null,
) => {
  const resources = [{ resourceType, resourceName, configurationKeys }];
  const request = { resources, ...more };
  const response = await ask(broker, describeConfigsApi, handleDescribeConfigs, version, request);
  return response.results[0];
};
